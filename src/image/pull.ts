import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { decodeImageConfig, type ImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { decodeManifestDocument, type Manifest, MAX_MANIFEST_BYTES, selectPlatform } from "#oci/manifest.ts";
import { formatPlatform, hostPlatform, type Platform } from "#oci/platform.ts";
import {
  canonicalReference,
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  withDefaultTag,
} from "#oci/reference.ts";
import type { Credentials } from "#registry/authorizer.ts";
import type { Image, Progress } from "./image.ts";
import { type BlobSource, Downloader, type FetchedManifest, type ImageRegistry } from "./download.ts";
import { emitImageEvent, type ImageParts } from "./parts.ts";
import { pullFailure } from "./pull-failure.ts";
import { LayerProgress, type PullWord } from "./layer-progress.ts";
import { ProgressHub } from "./progress-hub.ts";
import { checkLayers, readImage } from "./read-image.ts";
import { SharedWork } from "./shared-work.ts";

export interface PullOptions {
  /** The engine's own when not given. */
  readonly platform?: Platform | undefined;
  readonly credentials?: Credentials | undefined;
}

export interface PullerOptions {
  readonly parts: ImageParts;
  readonly openRegistry: (domain: string, credentials: Credentials | undefined) => ImageRegistry;
  /** Before the second attempt at a blob; doubled for each further one. */
  readonly retryDelayMs?: number;
}

interface Pull extends BlobSource {
  readonly platform: Platform;
  readonly progress: Progress;
}

interface Resolved {
  readonly target: Descriptor;
  readonly manifest: Manifest;
}

/**
 * Fetches images: reference → index → manifest for the platform → config → layers, three at a time, each unpacked as
 * it arrives → the reference, last. The same pull asked for twice at once runs once.
 */
export class Puller {
  readonly #options: PullerOptions;
  readonly #pulls = new SharedWork<Image>();
  readonly #hubs = new Map<string, ProgressHub>();
  readonly #downloader: Downloader;

  constructor(options: PullerOptions) {
    this.#options = options;
    this.#downloader = new Downloader(options.parts.content, options.retryDelayMs);
  }

  /** @throws {EngineError} as `pullFailure` words it; invalid for text that is no name; forbidden for `scratch` */
  async pull(
    text: string,
    { platform = hostPlatform(), credentials }: PullOptions,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<Image> {
    const name = withDefaultTag(parseReference(text));
    if (familiarName(name) === "scratch") throw new EngineError("forbidden", "'scratch' is a reserved name");
    const key = JSON.stringify([formatReference(name), formatPlatform(platform), credentials ?? null]);
    const hub = this.#hubs.get(key) ?? new ProgressHub();
    this.#hubs.set(key, hub);
    using _joined = hub.join(progress);
    const registry = this.#options.openRegistry(name.domain, credentials);
    const work = async (stop: AbortSignal): Promise<Image> => {
      try {
        using lease = this.#options.parts.records.leases.open();
        return await this.#run({ name, registry, platform, lease, progress: hub.tell, signal: stop });
      } finally {
        this.#hubs.delete(key);
      }
    };
    return await this.#pulls.run(key, work, signal);
  }

  /** Every tag that a repository has. @throws {EngineError} as `pull`; not-found when there is none */
  async tags(
    repository: string,
    { credentials }: PullOptions,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const name = parseReference(repository);
    try {
      const registry = this.#options.openRegistry(name.domain, credentials);
      const tags = await registry.tags(name.path, signal);
      if (tags.length > 0) return tags;
      throw new EngineError("not-found", "it has no tags");
    } catch (error) {
      signal.throwIfAborted();
      throw pullFailure(error, name, "fetch");
    }
  }

  async #run(pull: Pull): Promise<Image> {
    let phase: "resolve" | "fetch" = "resolve";
    try {
      const { name, registry, signal } = pull;
      const named = await registry.manifest(name.path, name.digest ?? name.tag ?? "", signal);
      phase = "fetch";
      const resolved = await this.#resolve(pull, named);
      const { tag, digest, path } = pull.name;
      pull.progress({ kind: "status", status: `Pulling from ${path}`, id: digest ?? tag ?? "" });
      const config = await this.#fetchConfig(pull, resolved.manifest);
      await this.#fetchLayers(pull, resolved.manifest, config);
      return await this.#publish(pull, resolved.target);
    } catch (error) {
      pull.signal.throwIfAborted();
      throw pullFailure(error, pull.name, phase);
    }
  }

  async #resolve(pull: Pull, fetched: FetchedManifest): Promise<Resolved> {
    const target = await this.#keep(pull, fetched);
    const document = decodeManifestDocument(fetched.bytes, fetched.mediaType || undefined);
    if (document.kind === "manifest") return { target, manifest: document.manifest };
    const entry = selectPlatform(document.index, pull.platform);
    if (!entry) {
      throw new EngineError(
        "not-found",
        `no matching manifest for ${formatPlatform(pull.platform)} in the manifest list entries`,
      );
    }
    const bytes = await this.#manifestBytes(pull, entry);
    const inner = decodeManifestDocument(bytes, entry.mediaType || undefined);
    if (inner.kind === "index") throw new EngineError("invalid", `index ${target.digest} holds an index`);
    return { target, manifest: inner.manifest };
  }

  /** Stores a document as the registry sent it, once it has proved to be one. */
  async #keep({ lease, signal }: Pull, { bytes, digest, mediaType }: FetchedManifest): Promise<Descriptor> {
    const read = decodeManifestDocument(bytes, mediaType || undefined);
    const size = bytes.byteLength;
    lease.holdBlob(digest);
    await this.#options.parts.content.write(only(bytes), { digest, size }, signal);
    const document = read.kind === "index" ? read.index : read.manifest;
    return { mediaType: document.mediaType, digest, size };
  }

  async #manifestBytes(pull: Pull, entry: Descriptor): Promise<Uint8Array> {
    const { content } = this.#options.parts;
    pull.lease.holdBlob(entry.digest);
    if (await content.find(entry.digest)) return await content.readBytes(entry.digest, MAX_MANIFEST_BYTES);
    const fetched = await pull.registry.manifest(pull.name.path, entry.digest, pull.signal);
    if (fetched.bytes.byteLength !== entry.size) {
      throw new EngineError(
        "corrupt",
        `manifest ${entry.digest} has ${fetched.bytes.byteLength} bytes, its index says ${entry.size}`,
      );
    }
    await this.#keep(pull, fetched);
    return fetched.bytes;
  }

  async #fetchConfig(pull: Pull, manifest: Manifest): Promise<ImageConfig> {
    const { config } = manifest;
    if (config.size > MAX_CONFIG_BYTES)
      throw new EngineError("invalid", `config ${config.digest} of ${config.size} bytes is too large`);
    await this.#downloader.fetch(pull, config);
    const decoded = decodeImageConfig(
      await this.#options.parts.content.readBytes(config.digest, MAX_CONFIG_BYTES),
    );
    checkLayers(manifest, decoded.diffIds.length);
    return decoded;
  }

  async #fetchLayers(pull: Pull, manifest: Manifest, config: ImageConfig): Promise<void> {
    const siblings = new AbortController();
    const signal = AbortSignal.any([pull.signal, siblings.signal]);
    const lines = new Map(manifest.layers.map((layer) => [layer.digest, this.#layerProgress(pull, layer)]));
    const arrivals = new Map<Digest, Promise<void>>();
    for (const layer of manifest.layers) {
      if (arrivals.has(layer.digest)) continue;
      lines.get(layer.digest)?.say("Pulling fs layer");
      const arrival = this.#downloader.fetch({ ...pull, signal }, layer, lines.get(layer.digest));
      // whoever awaits it below sees its failure; this keeps an early one from being called unhandled
      arrival.catch(() => undefined);
      arrivals.set(layer.digest, arrival);
    }
    const unpacking = this.#options.parts.unpacker.unpack(
      { manifest, config },
      {
        lease: pull.lease,
        arrived: async (layer) => await arrivals.get(layer.digest),
        started: (layer) => lines.get(layer.digest)?.extracting(),
        finished: (layer) => lines.get(layer.digest)?.say("Pull complete"),
      },
      signal,
    );
    try {
      await Promise.all([unpacking, ...arrivals.values()]);
    } catch (error) {
      siblings.abort(error);
      await Promise.allSettled([unpacking, ...arrivals.values()]);
      throw error;
    }
  }

  #layerProgress({ progress }: Pull, layer: Descriptor): LayerProgress<PullWord> {
    return new LayerProgress(layer, { progress, clock: this.#options.parts.clock });
  }

  async #publish(pull: Pull, target: Descriptor): Promise<Image> {
    const { catalog, content, emit } = this.#options.parts;
    const text = familiarReference(pull.name);
    const reference = canonicalReference(text);
    const before = catalog.idOf(reference);
    const read = await readImage(content, target);
    const image = catalog.set(reference, read);
    const news = before === target.digest ? "Image is up to date for" : "Downloaded newer image for";
    pull.progress({ kind: "status", status: `Digest: ${target.digest}` });
    pull.progress({ kind: "status", status: `Status: ${news} ${text}` });
    emitImageEvent(emit, "pull", { image, id: text, name: familiarName(pull.name) });
    return image;
  }
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
