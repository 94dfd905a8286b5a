import { parse } from "smol-toml";
import { Fields } from "#base/decode.ts";
import { EngineError, errorMessage } from "#base/errors.ts";

/** What a host may be asked for: blobs and manifests by digest, what a tag points at, uploads. */
export type Capability = "pull" | "resolve" | "push";

export const ALL_CAPABILITIES: readonly Capability[] = ["pull", "resolve", "push"];

/** One host of a `hosts.toml`. */
export interface DeclaredHost {
  /** Where its API begins: `https://mirror.example/v2/`. */
  readonly api: URL;
  readonly capabilities: readonly Capability[];
  /** Paths of certificates, relative to the file's folder. */
  readonly authorities: readonly string[];
  /** The first counts: TLS shows one. */
  readonly clients: readonly { readonly certificate: string; readonly key: string | undefined }[];
  readonly skipVerify: boolean | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** A `hosts.toml`: how one registry is reached. The form is containerd's. [containerd docs/hosts.md] */
export interface HostsFile {
  /** The registry itself, asked last; at its own name when no address is given. */
  readonly server: Omit<DeclaredHost, "api"> & { readonly api: URL | undefined };
  /** Asked before it, in this order. */
  readonly hosts: readonly DeclaredHost[];
}

const MAX_HOSTS = 64;

/** @throws {EngineError} invalid, naming the field */
export function decodeHostsFile(text: string): HostsFile {
  const fields = new Fields(parseToml(text), "");
  const server = fields.string("server");
  const hosts = [...(fields.map("host", (value, path) => new Fields(value, path)) ?? [])];
  if (hosts.length > MAX_HOSTS)
    throw new EngineError("invalid", `it names ${hosts.length} hosts, at most ${MAX_HOSTS} are read`);
  return {
    server: { ...decodeHost(fields), api: server === undefined ? undefined : apiOf(server, fields) },
    hosts: hosts.map(([address, host]) => ({ ...decodeHost(host), api: apiOf(address, host) })),
  };
}

function decodeHost(fields: Fields): Omit<DeclaredHost, "api"> {
  return {
    capabilities: fields.strings("capabilities")?.map(decodeCapability) ?? ALL_CAPABILITIES,
    authorities: textOrList(fields, "ca"),
    clients: decodeClients(fields),
    skipVerify: fields.boolean("skip_verify"),
    headers: decodeHeaders(fields),
  };
}

function apiOf(address: string, fields: Fields): URL {
  const isWhole = fields.boolean("override_path") ?? false;
  const text = address.includes("://") ? address : `https://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:"))
    throw new EngineError("invalid", `"${address}" is no address of a host`);
  const path = url.pathname.replace(/\/+$/, "");
  return new URL(isWhole || path.endsWith("/v2") ? `${path}/` : `${path}/v2/`, url);
}

function decodeCapability(text: string): Capability {
  const known = ALL_CAPABILITIES.find((capability) => capability === text);
  if (known === undefined)
    throw new EngineError("invalid", `"${text}" is no capability: there are ${ALL_CAPABILITIES.join(", ")}`);
  return known;
}

/** `client = "both.pem"`, `["both.pem"]`, `[["client.cert", "client.key"]]`. */
function decodeClients(fields: Fields): DeclaredHost["clients"] {
  const value = fields.raw("client");
  const list = Array.isArray(value) ? value : value === undefined ? [] : [value];
  return list.map((item: unknown) => {
    const [certificate, key] = Array.isArray(item) ? item : [item];
    if (typeof certificate !== "string" || (key !== undefined && typeof key !== "string"))
      throw new EngineError("invalid", "client is a path, or a list of pairs of paths");
    return { certificate, key };
  });
}

/** A header given several times is sent once, with commas. */
function decodeHeaders(fields: Fields): Record<string, string> {
  const headers = fields.map("header", (value, path) =>
    textOrList(new Fields({ value }, path), "value").join(", "),
  );
  for (const [name, value] of headers ?? []) {
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || /[\r\n]/.test(value))
      throw new EngineError("invalid", `"${name}" is no header`);
  }
  return Object.fromEntries(headers ?? []);
}

function textOrList(fields: Fields, key: string): string[] {
  const value = fields.raw(key);
  return typeof value === "string" ? [value] : (fields.strings(key) ?? []);
}

function parseToml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new EngineError("invalid", `it is not TOML (${errorMessage(error)})`, { cause: error });
  }
}
