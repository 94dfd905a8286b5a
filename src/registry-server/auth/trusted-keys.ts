import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, errorMessage } from "#base/errors.ts";

/** A key that tokens may be signed with, and the names that they may call it by. */
interface TrustedKey {
  readonly key: KeyObject;
  readonly ids: readonly string[];
}

/** What a token says of the key that it was signed with. RFC 7515, section 4.1. */
export interface KeyHint {
  readonly kid?: string | undefined;
  /** Base64 of DER, the signer's own first. */
  readonly chain?: readonly string[] | undefined;
}

const MAX_KEYS = 100;
const MAX_CHAIN = 5;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * The keys of token servers that are trusted: those of a JWK set, those of the certificates of a bundle, and those of
 * certificates that the bundle's have signed. A key that a token brings along is never taken for itself.
 */
export class TrustedKeys {
  readonly #keys: readonly TrustedKey[];
  readonly #roots: readonly X509Certificate[];

  private constructor(keys: readonly TrustedKey[], roots: readonly X509Certificate[]) {
    this.#keys = keys;
    this.#roots = roots;
  }

  /** @throws {EngineError} invalid when a text holds no usable key */
  static read({
    jwks,
    roots,
  }: {
    readonly jwks?: string | undefined;
    readonly roots?: string | undefined;
  }): TrustedKeys {
    const certificates = roots === undefined ? [] : readBundle(roots);
    const ofRoots = certificates.map(({ publicKey }) => ({
      key: publicKey,
      ids: [libtrustId(publicKey), thumbprint(publicKey)],
    }));
    const keys = [...(jwks === undefined ? [] : readKeySet(jwks)), ...ofRoots];
    if (keys.length === 0 || keys.length > MAX_KEYS) {
      throw new EngineError(
        "invalid",
        `Cannot trust tokens: there are ${keys.length} keys, from 1 to ${MAX_KEYS} can be used`,
      );
    }
    return new TrustedKeys(keys, certificates);
  }

  /** The keys that a token may have been signed with, by what it says of its own. */
  candidates({ kid, chain }: KeyHint, now: number): readonly KeyObject[] {
    if (chain !== undefined) {
      const signer = this.#signerOf(chain, now);
      return signer === undefined ? [] : [signer];
    }
    return this.#keys.filter(({ ids }) => kid === undefined || ids.includes(kid)).map(({ key }) => key);
  }

  /** The first certificate's key, when each certificate was signed by the next and the last one by a root. */
  #signerOf(chain: readonly string[], now: number): KeyObject | undefined {
    if (chain.length === 0 || chain.length > MAX_CHAIN) return undefined;
    const certificates = chain.map(certificateOf);
    for (const [index, certificate] of certificates.entries()) {
      if (certificate === undefined || !isValidAt(certificate, now)) return undefined;
      const isRoot = this.#roots.some((root) => root.fingerprint512 === certificate.fingerprint512);
      if (isRoot || this.#roots.some((root) => isValidAt(root, now) && hasSigned(root, certificate))) {
        return certificates[0]?.publicKey;
      }
      const next = certificates[index + 1];
      if (next === undefined || !hasSigned(next, certificate)) return undefined;
    }
    return undefined;
  }
}

function readKeySet(text: string): TrustedKey[] {
  const fields = new Fields(parseJson(text, "JWK set"), "JWK set");
  return (fields.list("keys", (value, path) => readKey(value, path)) ?? []).flatMap((key) => key ?? []);
}

function readKey(value: unknown, path: string): TrustedKey | undefined {
  const fields = new Fields(value, path);
  if ((fields.string("use") ?? "sig") !== "sig" || fields.string("kty") === "oct") return undefined;
  try {
    // only what names a public key: a private part in the file is of no use here
    const jwk = Object.fromEntries(
      ["kty", "crv", "x", "y", "n", "e"].flatMap((name) => {
        const part = fields.string(name);
        return part === undefined ? [] : [[name, part]];
      }),
    );
    const key = createPublicKey({ key: jwk, format: "jwk" });
    const kid = fields.string("kid");
    return { key, ids: [...(kid === undefined ? [] : [kid]), libtrustId(key), thumbprint(key)] };
  } catch (error) {
    throw new EngineError("invalid", `Cannot read ${path}: ${errorMessage(error)}`, { cause: error });
  }
}

function readBundle(text: string): X509Certificate[] {
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0)
    throw new EngineError("invalid", "Cannot read the roots of tokens: there is no certificate in the file");
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw new EngineError("invalid", `Cannot read the roots of tokens: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function certificateOf(base64: string): X509Certificate | undefined {
  try {
    return new X509Certificate(Buffer.from(base64, "base64"));
  } catch {
    // what a client sent as a certificate is none: its token is not trusted
    return undefined;
  }
}

function hasSigned(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
}

/** Docker's name for a key: 240 bits of the SHA-256 of its DER form in base 32, in groups of four. */
export function libtrustId(key: KeyObject): string {
  const hash = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest()
    .subarray(0, 30);
  return (base32(hash).match(/.{4}/g) ?? []).join(":");
}

/** RFC 7638. */
function thumbprint(key: KeyObject): string {
  const { crv, e, kty, n, x, y } = key.export({ format: "jwk" });
  const members = { crv, e, kty, n, x, y };
  return createHash("sha256").update(JSON.stringify(members)).digest("base64url");
}

/** RFC 4648, for lengths that need no padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? [])
    .map((group) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[Number.parseInt(group, 2)])
    .join("");
}
