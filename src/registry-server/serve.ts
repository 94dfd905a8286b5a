import { readFile } from "node:fs/promises";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { type Guard, openToAll } from "./auth/guard.ts";
import { HtpasswdGuard, type VerifyPassword } from "./auth/htpasswd.ts";
import { TokenGuard } from "./auth/token.ts";
import { TrustedKeys } from "./auth/trusted-keys.ts";
import { Collections } from "./collection.ts";
import { Control } from "./control.ts";
import { type LockFile, lockFolder } from "./folder-lock.ts";
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
  wrong,
} from "./options.ts";
import { DEFAULT_MAX_MANIFEST_BYTES, DEFAULT_MAX_UPLOADS, Registry } from "./registry.ts";
import { type Address, listenForMetrics, RegistryServer, type Tls } from "./server.ts";
import { DEFAULT_UPLOAD_EXPIRY_MS } from "./storage/collector.ts";
import { Layout } from "./storage/layout.ts";
import { DEFAULT_GRACE_MS, DEFAULT_MAX_BLOB_BYTES, openStorage } from "./storage/storage.ts";

const DEFAULT_ADDRESS: Address = { host: "127.0.0.1", port: 5000 };

export const SERVE_FLAGS: FlagTable = {
  "gc-grace": { type: "string" },
  "gc-interval": { type: "string" },
  "gc-untagged": { type: "boolean" },
  htpasswd: { type: "string" },
  listen: { type: "string" },
  "log-level": { type: "string" },
  "max-blob-size": { type: "string" },
  "max-manifest-size": { type: "string" },
  "max-uploads": { type: "string" },
  "metrics-listen": { type: "string" },
  "no-delete": { type: "boolean" },
  quota: { type: "string" },
  "read-only": { type: "boolean" },
  realm: { type: "string" },
  "repository-quota": { type: "string" },
  root: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-client-ca": { type: "string" },
  "tls-key": { type: "string" },
  "token-issuer": { type: "string" },
  "token-jwks": { type: "string" },
  "token-realm": { type: "string" },
  "token-roots": { type: "string" },
  "token-service": { type: "string" },
  "upload-expiry": { type: "string" },
};

export const SERVE_USAGE = `Usage:  darse registry serve [OPTIONS]

Run a registry in the foreground

Options:
      --gc-grace duration         What was pushed or asked for within this is kept (default 1h)
      --gc-interval duration      Collect garbage this often (default: only by darse registry gc)
      --gc-untagged               Such collections remove manifests that no tag reaches, too
      --htpasswd string           File of users with bcrypt passwords, who may do everything
      --listen address            HOST:PORT to listen on (default 127.0.0.1:5000)
      --log-level string          debug, info, warn or error (default "info")
      --max-blob-size bytes       Largest blob that is taken (default 128g)
      --max-manifest-size bytes   Largest manifest that is taken, up to 4m (default 4m)
      --max-uploads int           Blobs taken at the same time (default 64)
      --metrics-listen address    HOST:PORT for /metrics alone, open to all who reach it
      --no-delete                 Refuse to delete tags, manifests and blobs
      --quota bytes               Most that all blobs together may have
      --read-only                 Refuse every change
      --realm string              What clients are told that they log in to, with --htpasswd (default "darse registry")
      --repository-quota bytes    Most that what one repository has may have
      --root string               Folder of the registry's files (default "${DEFAULT_ROOT}")
      --tls-cert string           File of the certificate, with its chain (PEM)
      --tls-client-ca string      File of the authorities that sign clients' certificates, then asked for (PEM)
      --tls-key string            File of the certificate's key (PEM)
      --token-issuer string       Who issues tokens: their iss
      --token-jwks string         File of the keys that sign tokens (JWK set)
      --token-realm string        Address where clients get tokens
      --token-roots string        File of the certificates that sign tokens, or their signers' (PEM)
      --token-service string      What this registry is called there: their aud
      --upload-expiry duration    Uploads that were left so long are dropped (default 24h)
`;

/** What of the machine a registry uses; handed in by who knows how. */
export interface Doors {
  readonly verifyPassword: VerifyPassword;
  readonly lock: LockFile;
}

export interface ServeWorld extends Doors {
  readonly log: Logger;
  /** Resolves, with the reason, when the registry shall end. */
  readonly stop: Promise<string>;
}

/** Serves until told to stop. */
export async function serve(flags: Flags, { log, stop, ...doors }: ServeWorld): Promise<void> {
  const isReadOnly = flags["read-only"] === true;
  const tls = await readTls(flags);
  const guard = await readGuard(flags, doors.verifyPassword);
  const root = rootOf(flags);
  const layout = new Layout(root);
  await using resources = new AsyncDisposableStack();
  if (!isReadOnly) resources.use(await lockFolder(layout, doors.lock));
  const storage = await openStorage({ ...storageOptions(flags), root, isReadOnly });
  const registry = new Registry({
    ...registryOptions(flags),
    storage,
    guard: guard ?? openToAll,
    log,
    isReadOnly,
  });
  const listen = address(flags, "listen") ?? DEFAULT_ADDRESS;
  const server = resources.use(await RegistryServer.listen(registry, listen, { tls }));
  const metrics = address(flags, "metrics-listen");
  if (metrics !== undefined) resources.use(await listenForMetrics(registry.metrics, metrics));
  if (!isReadOnly) {
    const { metrics: counters } = registry;
    const collections = resources.use(
      new Collections({ ...collectionOptions(flags), storage, log, metrics: counters }),
    );
    resources.use(await Control.listen(layout.controlSocket, (wish) => collections.collect(wish)));
  }
  if (guard === undefined && !isReadOnly && !isLoopback(listen)) {
    log.warn("everybody who reaches this registry may change it", {
      hint: "--htpasswd, or --token-realm and its kin",
    });
  }
  log.info("the registry answers", { ...server.address, root, tls: tls !== undefined });
  log.info("stopping", { signal: await stop });
}

function storageOptions(flags: Flags) {
  return {
    maxBlobBytes: bytes(flags, "max-blob-size") ?? DEFAULT_MAX_BLOB_BYTES,
    graceMs: milliseconds(flags, "gc-grace") ?? DEFAULT_GRACE_MS,
    quotas: { totalBytes: bytes(flags, "quota"), repositoryBytes: bytes(flags, "repository-quota") },
  };
}

function registryOptions(flags: Flags) {
  const manifestBytes = bytes(flags, "max-manifest-size") ?? DEFAULT_MAX_MANIFEST_BYTES;
  if (manifestBytes > MAX_MANIFEST_BYTES) {
    throw wrong(
      "max-manifest-size",
      String(manifestBytes),
      `clients read at most ${MAX_MANIFEST_BYTES} bytes`,
    );
  }
  return {
    mayRemove: flags["no-delete"] !== true,
    maxBlobBytes: bytes(flags, "max-blob-size") ?? DEFAULT_MAX_BLOB_BYTES,
    maxManifestBytes: manifestBytes,
    maxUploads: count(flags, "max-uploads") ?? DEFAULT_MAX_UPLOADS,
  };
}

function collectionOptions(flags: Flags) {
  return {
    uploadExpiryMs: milliseconds(flags, "upload-expiry") ?? DEFAULT_UPLOAD_EXPIRY_MS,
    intervalMs: milliseconds(flags, "gc-interval"),
    withUntagged: flags["gc-untagged"] === true,
  };
}

/** Who may do what; `undefined` when everybody may everything. */
async function readGuard(flags: Flags, verify: VerifyPassword): Promise<Guard | undefined> {
  const path = text(flags, "htpasswd");
  const hasTokens = together(flags, "token-realm", "token-service", "token-issuer");
  if (path !== undefined && hasTokens) {
    throw new EngineError(
      "invalid",
      "Cannot use --htpasswd and --token-realm: a registry asks for one of them",
    );
  }
  if (path !== undefined) {
    return await HtpasswdGuard.open({ path, realm: quotable(flags, "realm") ?? "darse registry", verify });
  }
  if (!hasTokens) return undefined;
  const keys = TrustedKeys.read({
    jwks: await readOption(flags, "token-jwks"),
    roots: await readOption(flags, "token-roots"),
  });
  return new TokenGuard({
    realm: quotable(flags, "token-realm") ?? "",
    service: quotable(flags, "token-service") ?? "",
    issuer: text(flags, "token-issuer") ?? "",
    keys,
  });
}

/** The text of a flag that stands in a header between quotes. */
function quotable(flags: Flags, name: string): string | undefined {
  const value = text(flags, name);
  if (value === undefined || /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/.test(value)) return value;
  throw wrong(name, value, "it must be plain text without quotes");
}

function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
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
