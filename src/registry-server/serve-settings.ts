import { readFile } from "node:fs/promises";
import { EngineError, errorMessage } from "#base/errors.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import type { Guard } from "./auth/guard.ts";
import { HtpasswdGuard, type VerifyPassword } from "./auth/htpasswd.ts";
import { TokenGuard } from "./auth/token.ts";
import { TrustedKeys } from "./auth/trusted-keys.ts";
import { bytes, count, type Flags, milliseconds, text, together, wrong } from "./options.ts";
import { DEFAULT_MAX_MANIFEST_BYTES, DEFAULT_MAX_UPLOADS } from "./registry.ts";
import type { Tls } from "./server.ts";
import { DEFAULT_UPLOAD_EXPIRY_MS } from "./storage/collector.ts";
import { DEFAULT_GRACE_MS, DEFAULT_MAX_BLOB_BYTES } from "./storage/storage.ts";

/** How the registry that a cache stands before is reached. */
export interface UpstreamSettings {
  /** As in the names of images: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Plain HTTP, or TLS that nobody vouches for, will do. */
  readonly isInsecure: boolean;
}

export function storageOptions(flags: Flags) {
  return {
    maxBlobBytes: bytes(flags, "max-blob-size") ?? DEFAULT_MAX_BLOB_BYTES,
    graceMs: milliseconds(flags, "gc-grace") ?? DEFAULT_GRACE_MS,
    quotas: { totalBytes: bytes(flags, "quota"), repositoryBytes: bytes(flags, "repository-quota") },
  };
}

export function registryOptions(flags: Flags) {
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

export function collectionOptions(flags: Flags) {
  return {
    uploadExpiryMs: milliseconds(flags, "upload-expiry") ?? DEFAULT_UPLOAD_EXPIRY_MS,
    intervalMs: milliseconds(flags, "gc-interval"),
    withUntagged: flags["gc-untagged"] === true,
    unusedMs: milliseconds(flags, "upstream-keep"),
  };
}

/** @throws {EngineError} invalid */
export async function readUpstream(flags: Flags): Promise<UpstreamSettings | undefined> {
  const domain = text(flags, "upstream");
  const hasUser = together(flags, "upstream-user", "upstream-password-file");
  if (domain === undefined) {
    const lone = ["upstream-fresh", "upstream-insecure", "upstream-keep", "upstream-user"].find(
      (name) => flags[name] !== undefined,
    );
    if (lone !== undefined) throw new EngineError("invalid", `Cannot use --${lone} without --upstream`);
    return undefined;
  }
  if (flags["read-only"] === true) {
    throw new EngineError("invalid", "Cannot use --upstream with --read-only: a cache keeps what it gets");
  }
  if (!/^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:]+\](:\d{1,5})?$/.test(domain)) {
    throw wrong("upstream", domain, "it must be HOST or HOST:PORT");
  }
  const username = text(flags, "upstream-user") ?? "";
  const password = ((await readOption(flags, "upstream-password-file")) ?? "").replace(/\r?\n$/, "");
  return {
    domain,
    credentials: hasUser ? { username, password } : undefined,
    isInsecure: flags["upstream-insecure"] === true,
  };
}

/** Who may do what; `undefined` when everybody may everything. */
export async function readGuard(flags: Flags, verify: VerifyPassword): Promise<Guard | undefined> {
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

export async function readTls(flags: Flags): Promise<Tls | undefined> {
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
async function readOption(flags: Flags, name: string): Promise<string | undefined> {
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
