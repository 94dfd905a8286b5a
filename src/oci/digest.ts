import { createHash, type Hash } from "node:crypto";
import { EngineError } from "#base/errors.ts";

declare const brand: unique symbol;

/** `algorithm:hex` of some bytes; only `parseDigest` and `Digester` make one. OCI image-spec, descriptor.md#digests. */
export type Digest = string & { readonly [brand]: "Digest" };

/** Digest of a layer's uncompressed tar. OCI image-spec, config.md#layer-diffid. */
export type DiffId = Digest & { readonly [layer]: "DiffId" };
declare const layer: unique symbol;

/** Digest that names a layer together with everything below it. OCI image-spec, config.md#layer-chainid. */
export type ChainId = Digest & { readonly [chain]: "ChainId" };
declare const chain: unique symbol;

/** Hex length per algorithm we accept. */
const HEX_LENGTH: ReadonlyMap<string, number> = new Map([
  ["sha256", 64],
  ["sha512", 128],
]);

/** @throws {EngineError} invalid when `text` is not a digest of an algorithm we know. */
export function parseDigest(text: string): Digest {
  const digest = findDigest(text);
  if (digest === undefined) throw new EngineError("invalid", `Cannot parse digest "${text.slice(0, 200)}"`);
  return digest;
}

/** `text` as a digest, or `undefined` when it is not one. */
export function findDigest(text: string): Digest | undefined {
  const colon = text.indexOf(":");
  const hex = text.slice(colon + 1);
  if (colon < 1 || HEX_LENGTH.get(text.slice(0, colon)) !== hex.length || !/^[0-9a-f]+$/.test(hex))
    return undefined;
  return text as Digest;
}

export function parseDiffId(text: string): DiffId {
  return parseDigest(text) as DiffId;
}

export function parseChainId(text: string): ChainId {
  return parseDigest(text) as ChainId;
}

/** Hashes bytes as they pass. */
export class Digester {
  readonly algorithm: "sha256" | "sha512";
  readonly #hash: Hash;
  #size = 0;

  constructor(algorithm: "sha256" | "sha512" = "sha256") {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#size += chunk.byteLength;
  }

  /** Ends the digester: no update may follow. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.digest("hex")}` as Digest;
  }
}

export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
}

/** The digester for the algorithm that `digest` names. */
export function digesterFor(digest: Digest): Digester {
  return new Digester(digest.startsWith("sha512:") ? "sha512" : "sha256");
}

/** The chain ID of each layer, lowest first. OCI image-spec, config.md#layer-chainid. */
export function chainIds(diffIds: readonly DiffId[]): ChainId[] {
  const chain: ChainId[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    const id: Digest = parent === undefined ? diffId : digestOf(`${parent} ${diffId}`);
    chain.push(id as ChainId);
  }
  return chain;
}

export function digestHex(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}
