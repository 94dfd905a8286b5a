import { EngineError } from "#base/errors.ts";

/** Where an engine listens. */
export type Host =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly address: string; readonly port: number };

/** Docker's port for plain HTTP. */
const DEFAULT_PORT = 2375;

/**
 * Reads `unix:///run/x.sock`, `tcp://127.0.0.1:2375`, `http://host` as `-H` and `DOCKER_HOST` have it.
 *
 * @throws {EngineError} invalid for other text, unsupported for `ssh://`, `npipe://`, `fd://` and `https://`
 */
export function parseHost(text: string): Host {
  const match = /^([a-z0-9]+):\/\/(.*)$/.exec(text);
  const scheme = match?.[1] ?? "";
  const rest = match?.[2] ?? "";
  if (scheme === "unix" && rest !== "") return { kind: "unix", path: rest };
  if (scheme === "tcp" || scheme === "http") return parseTcp(text, rest.replace(/\/$/, ""));
  if (["ssh", "npipe", "fd", "https"].includes(scheme)) {
    throw new EngineError("unsupported", `Cannot use host "${text}": ${scheme}:// is not supported`, {
      hint: "Use unix:///path/to/engine.sock or tcp://address:port",
    });
  }
  throw new EngineError(
    "invalid",
    `Cannot parse host "${text}": it must be unix://PATH or tcp://ADDRESS:PORT`,
  );
}

/** The text that `parseHost` reads. */
export function formatHost(host: Host): string {
  if (host.kind === "unix") return `unix://${host.path}`;
  return `tcp://${host.address.includes(":") ? `[${host.address}]` : host.address}:${host.port}`;
}

function parseTcp(text: string, rest: string): Host {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]*))(?::(\d{1,5}))?$/.exec(rest);
  const port = Number(match?.[3] ?? DEFAULT_PORT);
  if (!match || port > 65535)
    throw new EngineError("invalid", `Cannot parse host "${text}": invalid address or port`);
  return { kind: "tcp", address: match[1] ?? (match[2] === "" ? "127.0.0.1" : (match[2] ?? "")), port };
}
