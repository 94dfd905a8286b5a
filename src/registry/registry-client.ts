import { EngineError, errorMessage } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, digesterFor, digestOf, findDigest } from "#oci/digest.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { Authorizer, type Credentials } from "./authorizer.ts";
import { bodyChunks, discard, readBounded } from "./bounded-body.ts";
import { type Endpoint, endpointFor } from "./endpoint.ts";
import { describeFailure } from "./failure.ts";
import { send } from "./transport.ts";

export interface RegistryOptions {
  /** The domain of a reference: `docker.io`, `localhost:5000`. */
  readonly domain: string;
  readonly credentials?: Credentials | undefined;
  /** Hosts declared to speak plain HTTP; loopback needs no declaration. */
  readonly plainHosts?: readonly string[];
}

export interface FetchedManifest {
  readonly bytes: Uint8Array;
  /** Of the bytes. */
  readonly digest: Digest;
  /** What the registry called it; empty when it did not say. */
  readonly mediaType: string;
}

const ACCEPT = [
  MEDIA_TYPE.ociIndex,
  MEDIA_TYPE.ociManifest,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.dockerManifest,
].join(", ");

/**
 * One registry, as its clients see it. OCI distribution-spec, "Pull". Everything it sends is checked: digests, lengths
 * and sizes. `urls` of descriptors are never followed. Errors carry the kind a caller can act on: `unavailable` (no
 * answer), `unauthorized` (no access), `not-found`, `corrupt` (not what the digest says), `forbidden` (it broke a rule).
 */
export class RegistryClient {
  readonly #endpoint: Endpoint;
  readonly #authorizer: Authorizer;
  readonly #plainHosts: readonly string[];
  #base: Promise<URL> | undefined;

  constructor({ domain, credentials, plainHosts = [] }: RegistryOptions) {
    this.#endpoint = endpointFor(domain, plainHosts);
    this.#plainHosts = plainHosts;
    this.#authorizer = new Authorizer({ credentials, plainHosts });
  }

  /** Finds out how the registry speaks. Succeeds when it answers at all, also with 401. */
  async ping(signal: AbortSignal): Promise<void> {
    this.#base ??= this.#probe(signal);
    try {
      await this.#base;
    } catch (error) {
      this.#base = undefined;
      throw error;
    }
  }

  /** The manifest or index that a tag or digest names, verified. */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<FetchedManifest> {
    const what = `the manifest ${repository}:${reference}`;
    const response = await this.#request(repository, `manifests/${reference}`, { Accept: ACCEPT }, signal);
    if (!response.ok) throw await describeFailure(response, what);
    const bytes = await readBounded(response, MAX_MANIFEST_BYTES, what);
    const promised = findDigest(reference) ?? findDigest(response.headers.get("docker-content-digest") ?? "");
    const digest = promised === undefined ? digestOf(bytes) : digestBy(promised, bytes);
    if (promised !== undefined && digest !== promised) {
      throw new EngineError(
        "corrupt",
        `Cannot read ${what}: its bytes have digest ${digest}, not ${promised}`,
      );
    }
    const mediaType = (response.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
    return { bytes, digest, mediaType };
  }

  /**
   * The bytes of a blob from `offset` on, never more than its descriptor says. They are not hashed here: the store
   * that takes them does it, over the whole.
   *
   * @throws {EngineError} unavailable when they end too early: what came is good, ask again from there
   */
  async *blob(
    repository: string,
    { digest, size }: Pick<Descriptor, "digest" | "size">,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const what = `the blob ${digest}`;
    const range: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
    const response = await this.#request(repository, `blobs/${digest}`, range, signal);
    if (!response.ok) throw await describeFailure(response, what);
    let position = startOf(response, offset, what);
    try {
      for await (const chunk of bodyChunks(response)) {
        const from = Math.max(0, offset - position);
        position += chunk.byteLength;
        if (position > size)
          throw new EngineError("corrupt", `Cannot read ${what}: more than its ${size} bytes were sent`);
        if (from < chunk.byteLength) yield chunk.subarray(from);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EngineError) throw error;
      throw new EngineError("unavailable", `${this.#endpoint.host}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    if (position < size)
      throw new EngineError(
        "unavailable",
        `${this.#endpoint.host} sent ${position} of ${size} bytes of ${digest}`,
      );
  }

  async #request(
    repository: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Response> {
    await this.ping(signal);
    const url = new URL(`/v2/${repository}/${path}`, await this.#base);
    const scope = `repository:${repository}:pull`;
    const ask = (authorization: string | undefined): Promise<Response> =>
      send({ url, headers, authorization }, this.#plainHosts, signal);
    const response = await ask(this.#authorizer.header(scope));
    // a 401 from where the registry redirected to is not the registry's: it gets no answer
    if (response.status !== 401 || new URL(response.url).origin !== url.origin) return response;
    const authorization = await this.#authorizer.answer(response, scope, signal);
    if (authorization === undefined) return response;
    await discard(response);
    return await ask(authorization);
  }

  async #probe(signal: AbortSignal): Promise<URL> {
    const { host, schemes } = this.#endpoint;
    let failure: unknown;
    for (const scheme of schemes) {
      const base = new URL(`${scheme}://${host}`);
      try {
        await discard(await send({ url: new URL("/v2/", base) }, this.#plainHosts, signal));
        return base;
      } catch (error) {
        signal.throwIfAborted();
        failure = error;
      }
    }
    throw failure;
  }
}

function digestBy(promised: Digest, bytes: Uint8Array): Digest {
  const digester = digesterFor(promised);
  digester.update(bytes);
  return digester.digest();
}

/** Where the body begins: a registry may ignore the range and send all, but may not send another range. */
function startOf(response: Response, offset: number, what: string): number {
  if (response.status !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (Number(start) === offset) return offset;
  throw new EngineError(
    "corrupt",
    `Cannot read ${what}: asked from byte ${offset}, got "${start ?? "no range"}"`,
  );
}
