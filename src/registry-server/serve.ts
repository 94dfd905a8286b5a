import { readFile } from "node:fs/promises";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { type Guard, openToAll } from "./auth/guard.ts";
import {
  address,
  bytes,
  count,
  DEFAULT_ROOT,
  type Flags,
  type FlagTable,
  milliseconds,
  rootOf,
  text,
  together,
} from "./options.ts";
import { DEFAULT_MAX_MANIFEST_BYTES, DEFAULT_MAX_UPLOADS, Registry } from "./registry.ts";
import { type Address, RegistryServer, type Tls } from "./server.ts";
import { DEFAULT_GRACE_MS, DEFAULT_MAX_BLOB_BYTES, openStorage } from "./storage/storage.ts";

const DEFAULT_ADDRESS: Address = { host: "127.0.0.1", port: 5000 };

export const SERVE_FLAGS: FlagTable = {
  "gc-grace": { type: "string" },
  listen: { type: "string" },
  "log-level": { type: "string" },
  "max-blob-size": { type: "string" },
  "max-manifest-size": { type: "string" },
  "max-uploads": { type: "string" },
  "no-delete": { type: "boolean" },
  quota: { type: "string" },
  "read-only": { type: "boolean" },
  "repository-quota": { type: "string" },
  root: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-client-ca": { type: "string" },
  "tls-key": { type: "string" },
};

export const SERVE_USAGE = `Usage:  darse registry serve [OPTIONS]

Run a registry in the foreground

Options:
      --gc-grace duration         What was pushed or asked for within this is kept (default 1h)
      --listen address            HOST:PORT to listen on (default 127.0.0.1:5000)
      --log-level string          debug, info, warn or error (default "info")
      --max-blob-size bytes       Largest blob that is taken (default 128g)
      --max-manifest-size bytes   Largest manifest that is taken (default 4m)
      --max-uploads int           Blobs taken at the same time (default 64)
      --no-delete                 Refuse to delete tags, manifests and blobs
      --quota bytes               Most that all blobs together may have
      --read-only                 Refuse every change
      --repository-quota bytes    Most that what one repository has may have
      --root string               Folder of the registry's files (default "${DEFAULT_ROOT}")
      --tls-cert string           File of the certificate, with its chain (PEM)
      --tls-client-ca string      File of the authorities that sign clients' certificates, which are then asked for (PEM)
      --tls-key string            File of the certificate's key (PEM)
`;

/** Serves until `stop` resolves. */
export async function serve(flags: Flags, log: Logger, stop: Promise<string>): Promise<void> {
  const root = rootOf(flags);
  const isReadOnly = flags["read-only"] === true;
  const maxBlobBytes = bytes(flags, "max-blob-size") ?? DEFAULT_MAX_BLOB_BYTES;
  const tls = await readTls(flags);
  const guard: Guard = openToAll;
  const storage = await openStorage({
    root,
    isReadOnly,
    maxBlobBytes,
    graceMs: milliseconds(flags, "gc-grace") ?? DEFAULT_GRACE_MS,
    quotas: { totalBytes: bytes(flags, "quota"), repositoryBytes: bytes(flags, "repository-quota") },
  });
  const registry = new Registry({
    storage,
    guard,
    log,
    isReadOnly,
    mayRemove: flags["no-delete"] !== true,
    maxBlobBytes,
    maxManifestBytes: bytes(flags, "max-manifest-size") ?? DEFAULT_MAX_MANIFEST_BYTES,
    maxUploads: count(flags, "max-uploads") ?? DEFAULT_MAX_UPLOADS,
  });
  await using server = await RegistryServer.listen(registry, address(flags, "listen") ?? DEFAULT_ADDRESS, {
    tls,
  });
  log.info("the registry answers", { ...server.address, root, tls: tls !== undefined });
  log.info("stopping", { signal: await stop });
}

async function readTls(flags: Flags): Promise<Tls | undefined> {
  if (!together(flags, "tls-cert", "tls-key")) {
    if (flags["tls-client-ca"] === undefined) return undefined;
    throw new EngineError("invalid", "Cannot use --tls-client-ca without --tls-cert and --tls-key");
  }
  return {
    certificate: (await readOption(flags, "tls-cert")) ?? "",
    key: (await readOption(flags, "tls-key")) ?? "",
    clientAuthority: await readOption(flags, "tls-client-ca"),
  };
}

/** The text of the file that a flag names. */
export async function readOption(flags: Flags, name: string): Promise<string | undefined> {
  const path = text(flags, name);
  if (path === undefined) return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new EngineError("invalid", `Cannot use --${name} ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
