import type { PortBinding, PortMap, PortSet } from "#api/containers.ts";
import { EngineError } from "#base/errors.ts";
import { isAddress } from "./ip.ts";
import { parseKeyValues } from "./key-values.ts";

export interface Ports {
  readonly bindings: PortMap;
  readonly exposed: PortSet;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

const PROTOCOLS = ["tcp", "udp", "sctp"];

/**
 * `--publish` and `--expose`: `80`, `8080:80/udp`, `127.0.0.1:8000-8010:80`, `[::1]::80`, `8000-8001:80-81`,
 * `published=8080,target=80` (docker/go-connections `nat.ParsePortSpecs`).
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function parsePorts(publish: readonly string[], expose: readonly string[] = []): Ports {
  const bindings: Record<string, PortBinding[]> = {};
  const exposed: Record<string, Record<string, never>> = {};
  for (const { port, binding } of publish.flatMap(parsePublish)) {
    exposed[port] = {};
    (bindings[port] ??= []).push(binding);
  }
  for (const text of expose) {
    const [range, protocol] = splitProtocol(text);
    const { first, last } = parseRange(range, () => `invalid range format for --expose: ${text}`);
    for (let port = first; port <= last; port++) exposed[`${port}/${protocol}`] = {};
  }
  return { bindings, exposed };
}

function parsePublish(text: string): { port: string; binding: PortBinding }[] {
  const [spec, protocol] = splitProtocol(text.includes("=") ? longForm(text) : text);
  const [hostIp, host, container] = splitParts(spec, text);
  if (container === "") throw new EngineError("invalid", `no port specified: ${text}<empty>`);
  const target = parseRange(container, () => `invalid containerPort: ${container}`);
  const source = host === "" ? undefined : parseRange(host, () => `invalid hostPort: ${host}`);
  const count = target.last - target.first;
  if (source && source.last - source.first !== count && count !== 0) {
    throw new EngineError(
      "invalid",
      `invalid ranges specified for container and host Ports: ${container} and ${host}`,
    );
  }
  return Array.from({ length: count + 1 }, (_, i) => ({
    port: `${target.first + i}/${protocol}`,
    // One container port with a range of host ports: the engine takes the first that is free.
    binding: {
      HostIp: hostIp,
      HostPort: source === undefined ? "" : count === 0 ? host : String(source.first + i),
    },
  }));
}

function splitParts(spec: string, whole: string): [string, string, string] {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(spec);
  const parts = (bracketed?.[2] ?? spec).split(":");
  if (bracketed) parts.unshift(bracketed[1] ?? "");
  const container = parts.pop() ?? "";
  const host = parts.pop() ?? "";
  const ip = parts.join(":");
  if (ip !== "" && !isAddress(ip)) throw new EngineError("invalid", `invalid IP address: ${ip}`);
  if (bracketed && parts.length > 1) throw new EngineError("invalid", `invalid port specification: ${whole}`);
  return [ip, host, container];
}

function splitProtocol(text: string): [string, string] {
  const [spec = "", protocol = "tcp", ...more] = text.split("/");
  const name = protocol.toLowerCase();
  if (more.length > 0 || !PROTOCOLS.includes(name))
    throw new EngineError("invalid", `invalid proto: ${protocol}`);
  return [spec, name];
}

function parseRange(text: string, message: () => string): Range {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || first > last || last > 65535) throw new EngineError("invalid", message());
  return { first, last };
}

function longForm(text: string): string {
  const values = parseKeyValues(text.split(","));
  const known = ["published", "source", "target", "protocol", "mode"];
  const unknown = Object.keys(values).find((key) => !known.includes(key));
  if (unknown !== undefined || !values["target"])
    throw new EngineError("invalid", `invalid port specification: ${text}`);
  const source = values["published"] ?? values["source"];
  const protocol = values["protocol"] ? `/${values["protocol"]}` : "";
  return `${source === undefined ? "" : `${source}:`}${values["target"]}${protocol}`;
}
