import { open, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EngineError, errorMessage, isErrno } from "#base/errors.ts";
import { type DeclaredHost, decodeHostsFile } from "./hosts-toml.ts";
import type { TlsSettings } from "./host-access.ts";

/** A host that is asked in the registry's place, and how it is connected to. */
export interface KnownHost extends Pick<DeclaredHost, "api" | "capabilities" | "headers"> {
  readonly tls: TlsSettings;
}

/** What the folder of a host says. */
export interface HostFolder {
  /** For connections to the host itself. */
  readonly tls: TlsSettings;
  /** Of its `hosts.toml`: the host itself, when that says where it is, or what it may be asked for. */
  readonly server: (Omit<KnownHost, "api"> & { readonly api: URL | undefined }) | undefined;
  readonly mirrors: readonly KnownHost[];
}

const MAX_FILE_BYTES = 1024 * 1024;

/**
 * What the first of `roots` with a folder for `host` says of it: a `hosts.toml` (containerd's form), or certificates
 * alone as Docker has them (`*.crt`: authorities, `*.cert` with `*.key`: ours). `_default` stands for every host that has
 * no folder of its own.
 *
 * @throws {EngineError} invalid, naming the file that cannot be used
 */
export async function readHostFolder(
  host: string,
  roots: readonly string[],
): Promise<HostFolder | undefined> {
  if (!/^[A-Za-z0-9[][A-Za-z0-9.:_[\]-]*$/.test(host)) return undefined;
  for (const name of [host, "_default"]) {
    for (const root of roots) {
      const folder = join(root, name);
      const entries = await readdir(folder).catch(ignoreMissing);
      if (entries?.includes("hosts.toml")) return await fromHostsFile(folder);
      if (entries && name === host)
        return { tls: await dockerCertificates(folder, entries), server: undefined, mirrors: [] };
    }
  }
  return undefined;
}

async function fromHostsFile(folder: string): Promise<HostFolder> {
  const path = join(folder, "hosts.toml");
  try {
    const { server, hosts } = decodeHostsFile(await readText(path));
    const mirrors = await Promise.all(
      hosts.map(async (host) => ({ ...(await known(host, folder)), api: host.api })),
    );
    const own = await known(server, folder);
    return { tls: own.tls, server: { ...own, api: server.api }, mirrors };
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    throw new EngineError("invalid", `Cannot use ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

async function known(host: Omit<DeclaredHost, "api">, folder: string): Promise<Omit<KnownHost, "api">> {
  const { capabilities, headers, skipVerify = false } = host;
  const read = (path: string): Promise<string> => readText(resolve(folder, path));
  const authorities = await Promise.all(host.authorities.map(read));
  const [first] = host.clients;
  const client = first && {
    certificate: await read(first.certificate),
    key: await read(first.key ?? first.certificate),
  };
  return { capabilities, headers, tls: { authorities, client, skipVerify } };
}

/** [moby daemon/pkg/registry/registry.go] */
async function dockerCertificates(folder: string, entries: readonly string[]): Promise<TlsSettings> {
  const read = (name: string): Promise<string> => readText(join(folder, name));
  const authorities = await Promise.all(entries.filter((name) => name.endsWith(".crt")).map(read));
  const certificate = entries.filter((name) => name.endsWith(".cert")).toSorted()[0];
  if (certificate === undefined) return { authorities, skipVerify: false };
  const key = certificate.replace(/\.cert$/, ".key");
  if (!entries.includes(key)) {
    throw new EngineError(
      "invalid",
      `missing key ${key} for client certificate ${certificate} in ${folder}`,
      {
        hint: "CA certificates must use the extension .crt",
      },
    );
  }
  return {
    authorities,
    client: { certificate: await read(certificate), key: await read(key) },
    skipVerify: false,
  };
}

async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > MAX_FILE_BYTES)
      throw new EngineError("invalid", `${path} has ${size} bytes, at most ${MAX_FILE_BYTES} are read`);
    return await file.readFile("utf8");
  } catch (error) {
    if (!isErrno(error, "ENOENT", "EACCES", "EISDIR")) throw error;
    throw new EngineError("invalid", `Cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
}
