import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type Digest, findDigest } from "#oci/digest.ts";
import type { Credentials } from "./authorizer.ts";
import { fetchBlob } from "./blob-download.ts";
import { discard } from "./bounded-body.ts";
import { endpointsFor } from "./endpoint.ts";
import { describeFailure } from "./failure.ts";
import { HostAccess } from "./host-access.ts";
import type { Capability } from "./hosts-toml.ts";
import { checkCount, pages } from "./listing.ts";
import {
  deleteManifest,
  type FetchedManifest,
  fetchManifest,
  headManifest,
  type ManifestToPut,
  pullScope,
  pushScope,
  storeManifest,
} from "./manifests.ts";
import { mountBlob } from "./mount.ts";
import { fetchReferrers, tagReferrer } from "./referrers.ts";
import { type HostRequest, RegistryHost } from "./registry-host.ts";
import { PLAIN_SETTINGS, type RegistrySettings } from "./settings.ts";
import { type BlobIdentity, Upload, type UploadOptions, type UploadSource } from "./upload.ts";

export interface RegistryOptions {
  /** The domain of a reference: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly domain: string;
  /** Shown to the registry itself alone: never to a mirror, nor to where it redirects. */
  readonly credentials?: Credentials | undefined;
  readonly settings?: Partial<RegistrySettings> | undefined;
}

/**
 * One registry, with the mirrors that stand before it, as its clients see it. OCI distribution-spec 1.1. Everything it
 * sends is checked: digests, lengths and sizes. `urls` of descriptors are never followed. Errors carry the kind a caller
 * can act on: `unavailable` (no answer), `unauthorized` (no access), `not-found`, `corrupt` (not what the digest says),
 * `forbidden` (it broke a rule). What a mirror cannot give is asked of the next host; the registry itself is the last.
 */
export class RegistryClient {
  readonly #domain: string;
  readonly #credentials: Credentials | undefined;
  readonly #access: HostAccess;
  #hosts: Promise<RegistryHost[]> | undefined;
  /** Mirrors that failed in the middle of a blob: asked last from then on. */
  readonly #unreliable = new Set<RegistryHost>();

  constructor({ domain, credentials, settings }: RegistryOptions) {
    this.#domain = domain;
    this.#credentials = credentials;
    this.#access = new HostAccess({ ...PLAIN_SETTINGS, ...settings });
  }

  /**
   * Makes sure that the registry speaks the API, whether or not it lets us in.
   *
   * @throws {EngineError} unavailable when nobody answers, or something else does
   */
  async ping(signal: AbortSignal): Promise<void> {
    const host = await this.#origin();
    const api = await host.open(signal);
    const response = await host.request({ path: api, scopes: [] }, signal);
    await discard(response);
    if (![200, 401, 403].includes(response.status))
      throw new EngineError(
        "unavailable",
        `${api.host} is no registry: GET ${api.pathname} gives status ${response.status}`,
      );
  }

  /** The manifest or index that a tag or digest names, verified. */
  async manifest(repository: string, reference: string, signal: AbortSignal): Promise<FetchedManifest> {
    const isByDigest = findDigest(reference) !== undefined;
    return await this.#first(
      isByDigest ? "pull" : "resolve",
      (host) => fetchManifest(host, { repository, reference }, signal),
      signal,
    );
  }

  /** What a tag or digest names, without fetching it; `undefined` when there is none. */
  async findManifest(
    repository: string,
    reference: string,
    signal: AbortSignal,
  ): Promise<Pick<Descriptor, "mediaType" | "digest" | "size"> | undefined> {
    return await headManifest(await this.#origin(), { repository, reference }, signal);
  }

  /**
   * Stores a manifest under a tag or its digest; what it names must be there. One that refers to a subject is made to be
   * found from it, by a tag where the registry keeps no list of referrers.
   */
  async putManifest(
    repository: string,
    reference: string,
    manifest: ManifestToPut,
    signal: AbortSignal,
  ): Promise<Digest> {
    const host = await this.#origin();
    const stored = await storeManifest(host, { repository, reference, ...manifest }, signal);
    if (!stored.listsReferrers)
      await tagReferrer(host, { repository, digest: stored.digest, ...manifest }, signal);
    return stored.digest;
  }

  /** @throws {EngineError} not-found; unsupported where the registry deletes nothing */
  async removeManifest(repository: string, reference: string, signal: AbortSignal): Promise<void> {
    await deleteManifest(await this.#origin(), { repository, reference }, signal);
  }

  /**
   * The bytes of a blob from `offset` on, never more than its descriptor says. They are not hashed here: the store
   * that takes them does it, over the whole.
   *
   * @throws {EngineError} unavailable when they end too early: what came is good, ask again from there
   */
  async *blob(
    repository: string,
    blob: Pick<Descriptor, "digest" | "size">,
    offset: number,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const download = await this.#first(
      "pull",
      async (host) => ({ host, chunks: await fetchBlob(host, { repository, blob, offset }, signal) }),
      signal,
    );
    try {
      yield* download.chunks;
    } catch (error) {
      this.#unreliable.add(download.host);
      throw error;
    }
  }

  /** The size of a blob that is there; `undefined` when it is not. */
  async findBlob(
    repository: string,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<{ readonly size: number } | undefined> {
    const host = await this.#origin();
    const path = `${repository}/blobs/${digest}`;
    // who pushes asks with the right to push, so that one token does
    const response = await host.request({ method: "HEAD", path, scopes: pushScope(repository) }, signal);
    await discard(response);
    if (response.status === 404) return undefined;
    if (!response.ok)
      throw await describeFailure(response, `Cannot look for the blob ${digest} in ${repository}`);
    return { size: Number(response.headers.get("content-length") ?? 0) };
  }

  /** Uploads a blob. Whether it is there already is not asked: see `findBlob`. */
  async upload(
    repository: string,
    source: UploadSource,
    options: UploadOptions,
    signal: AbortSignal,
  ): Promise<BlobIdentity> {
    const host = await this.#origin();
    const { expected } = source;
    const { mountFrom } = options;
    if (expected && mountFrom !== undefined) {
      const mount = { repository, digest: expected.digest, mountFrom };
      if (await mountBlob(host, mount, signal)) return expected;
    }
    return await new Upload({ host, repository }, source, options).run(signal);
  }

  /** Has a blob of another repository of the registry; false where it is not known, may not be read, or that is not done. */
  async mountBlob(
    repository: string,
    { digest }: Pick<BlobIdentity, "digest">,
    mountFrom: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const host = await this.#origin();
    return await mountBlob(host, { repository, digest, mountFrom }, signal);
  }

  /** Every tag of a repository, in the registry's order. */
  async tags(repository: string, signal: AbortSignal): Promise<string[]> {
    const list = {
      path: `${repository}/tags/list`,
      scopes: pullScope(repository),
      what: `the tags of ${repository}`,
    };
    return await this.#names(list, "tags", signal);
  }

  /** Every repository that the registry shows. */
  async repositories(signal: AbortSignal): Promise<string[]> {
    const list = { path: "_catalog", scopes: ["registry:catalog:*"], what: "the repositories" };
    return await this.#names(list, "repositories", signal);
  }

  /** What refers to a manifest, of one type of artifact when one is given. OCI distribution-spec, "Listing Referrers". */
  async referrers(
    repository: string,
    subject: Digest,
    { artifactType }: { readonly artifactType?: string | undefined },
    signal: AbortSignal,
  ): Promise<Descriptor[]> {
    return await fetchReferrers(await this.#origin(), { repository, subject, artifactType }, signal);
  }

  async #names(
    list: Pick<HostRequest, "path" | "scopes"> & { readonly what: string },
    field: string,
    signal: AbortSignal,
  ): Promise<string[]> {
    const names: string[] = [];
    for await (const fields of pages(await this.#origin(), list, signal)) {
      names.push(...(fields.strings(field) ?? []));
      checkCount(names.length, list.what);
    }
    return names;
  }

  /** Asks one host after the other; the failure of the last is thrown. */
  async #first<T>(
    capability: Capability,
    ask: (host: RegistryHost) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const able = (await this.#open()).filter(({ endpoint }) => endpoint.capabilities.includes(capability));
    const mirrors = able.filter(({ endpoint }) => !endpoint.isOrigin);
    const late = mirrors.filter((host) => this.#unreliable.has(host));
    const order = [
      ...mirrors.filter((host) => !late.includes(host)),
      ...able.filter((host) => !mirrors.includes(host)),
      ...late,
    ];
    let failure: unknown = new EngineError(
      "unsupported",
      `no host of ${this.#domain} may be asked to ${capability}`,
    );
    let shown: unknown;
    for (const host of order) {
      try {
        return await ask(host);
      } catch (error) {
        signal.throwIfAborted();
        if (!EngineError.is(error)) throw error;
        failure = error;
        if (host.endpoint.isOrigin) shown = error;
      }
    }
    throw shown ?? failure;
  }

  /** The registry itself, for all that mirrors are not asked for. */
  async #origin(): Promise<RegistryHost> {
    const host = (await this.#open()).find(({ endpoint }) => endpoint.isOrigin);
    if (!host) throw new Error("a registry has no host of its own");
    return host;
  }

  async #open(): Promise<RegistryHost[]> {
    this.#hosts ??= endpointsFor(this.#domain, this.#access).then((endpoints) =>
      endpoints.map(
        (endpoint) => new RegistryHost(endpoint, this.#access, { credentials: this.#credentials }),
      ),
    );
    return await this.#hosts;
  }
}
