import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { formatPlatform, hostPlatform, platformMatches, type Platform } from "#oci/platform.ts";
import {
  familiarName,
  familiarReference,
  formatReference,
  type NamedReference,
  parseReference,
} from "#oci/reference.ts";
import type { Credentials } from "#registry/authorizer.ts";
import type { Image, PresentVariant, Progress } from "./image.ts";
import { emitImageEvent, type ImageParts } from "./parts.ts";
import { BlobPusher, PARALLEL_UPLOADS, type PushRegistry } from "./push-blob.ts";
import { pushFailure } from "./push-failure.ts";
import { LayerProgress, type PushWord } from "./layer-progress.ts";
import { PushRecords } from "./push-records.ts";
import { isForeign, type PushedDocument, type PushTree, readPushTree, withReplaced } from "./push-tree.ts";
import type { DocumentTable, StoredBlob } from "./stores.ts";

export interface PushOptions {
  /** Only the image for it is pushed, not the index it is in. */
  readonly platform?: Platform | undefined;
  readonly credentials?: Credentials | undefined;
}

export interface PusherOptions {
  readonly parts: ImageParts;
  readonly documents: DocumentTable;
  readonly openRegistry: (domain: string, credentials: Credentials | undefined) => PushRegistry;
  readonly processors: number;
  readonly retryDelayMs?: number | undefined;
}

interface Push {
  readonly name: NamedReference;
  readonly image: Image;
  readonly registry: PushRegistry;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * Sends images to registries: blobs first, side by side, then manifests, then the index, the tag last. A layer that is
 * stored without compression is sent as gzip, and the manifest that names it with it; what was pulled goes out as it came,
 * under the same digest.
 */
export class Pusher {
  readonly #options: PusherOptions;
  readonly #records: PushRecords;
  readonly #blobs: BlobPusher;

  constructor(options: PusherOptions) {
    this.#options = options;
    this.#records = new PushRecords(options.documents);
    const { content } = options.parts;
    this.#blobs = new BlobPusher({ ...options, content, records: this.#records });
  }

  /**
   * Pushes one name, or every tag of a repository when `text` has neither tag nor digest.
   *
   * @throws {EngineError} as `pushFailure` words it; invalid for text that is no name; not-found for an image that is not
   * here
   */
  async push(text: string, options: PushOptions, progress: Progress, signal: AbortSignal): Promise<void> {
    const name = parseReference(text);
    const repository = `${name.domain}/${name.path}`;
    progress({ kind: "status", status: `The push refers to repository [${repository}]` });
    const registry = this.#options.openRegistry(name.domain, options.credentials);
    for (const { image, name: one } of this.#meant(name))
      await this.#pushOne({ name: one, image, registry, progress, signal }, options.platform);
    const { content } = this.#options.parts;
    await this.#records.tidy(async (digest) => (await content.find(digest)) !== undefined);
  }

  /** Takes note of where an image came from, and in which form: that it goes back in. */
  pulled(text: string, image: Image): void {
    const { domain, path } = parseReference(text);
    for (const variant of image.variants) {
      if (variant.kind !== "present") continue;
      for (const blob of [variant.manifest.config, ...variant.manifest.layers])
        this.#records.add(blob.digest, blob, `${domain}/${path}`);
    }
  }

  /** @throws {EngineError} not-found, in Docker's words */
  #meant(name: NamedReference): { readonly name: NamedReference; readonly image: Image }[] {
    const { catalog } = this.#options.parts;
    if (name.tag !== undefined || name.digest !== undefined) {
      const image = catalog.find(formatReference(name));
      if (image) return [{ name, image }];
      throw new EngineError("not-found", `tag does not exist: ${familiarReference(name)}`);
    }
    const tags = catalog.list().flatMap((image) =>
      image.references
        .map(parseReference)
        .filter(({ domain, path, tag }) => domain === name.domain && path === name.path && tag !== undefined)
        .map((tagged) => ({ name: tagged, image })),
    );
    if (tags.length > 0) return tags.toSorted((a, b) => ((a.name.tag ?? "") < (b.name.tag ?? "") ? -1 : 1));
    throw new EngineError("not-found", `An image does not exist locally with the tag: ${familiarName(name)}`);
  }

  async #pushOne(push: Push, platform: Platform | undefined): Promise<void> {
    const { parts } = this.#options;
    const { name, image, progress } = push;
    using lease = parts.records.leases.open();
    lease.holdBlob(image.target.digest);
    try {
      const tree = await this.#choose(image, name, platform);
      const document = await this.#pushTree(push, tree, name.digest ?? name.tag);
      this.#remember(push, tree, document);
      const { digest, size } = document;
      if (name.tag !== undefined) {
        progress({ kind: "status", status: `${name.tag}: digest: ${digest} size: ${size}` });
        progress({ kind: "aux", value: { Tag: name.tag, Digest: digest, Size: size } });
      }
      if (platform === undefined && tree.target.digest !== image.target.digest)
        progress({ kind: "aux", value: insteadOfIndex(image.target, tree.target) });
    } catch (error) {
      push.signal.throwIfAborted();
      throw pushFailure(error, name);
    }
    emitImageEvent(parts.emit, "push", { image, id: familiarReference(name), name: familiarName(name) });
  }

  /** All of the image where all of it is here, else the one platform that can be meant. */
  async #choose(image: Image, name: NamedReference, platform: Platform | undefined): Promise<PushTree> {
    const { content } = this.#options.parts;
    if (platform) return await readPushTree(content, presentFor(image, name, platform).descriptor);
    try {
      return await readPushTree(content, image.target);
    } catch (error) {
      const present = image.variants.filter((variant) => variant.kind === "present");
      const own =
        present.length === 1
          ? present[0]
          : present.find((variant) => platformMatches(hostPlatform(), variant.platform));
      if (!EngineError.is(error, "not-found") || own?.descriptor.digest === image.target.digest) throw error;
      if (own) return await readPushTree(content, own.descriptor);
      throw new EngineError(
        "conflict",
        "multiple matching manifests found but no specific platform requested",
      );
    }
  }

  /** @param reference the tag or digest it is stored under, `undefined` for its own digest */
  async #pushTree(push: Push, tree: PushTree, reference: string | undefined): Promise<PushedDocument> {
    const replaced = new Map<Digest, StoredBlob>();
    for (const child of tree.children) {
      const pushed = await this.#pushTree(push, child, undefined);
      if (pushed.digest !== child.target.digest) replaced.set(child.target.digest, pushed);
    }
    for (const [digest, blob] of await this.#pushBlobs(push, tree)) {
      if (blob.digest !== digest) replaced.set(digest, blob);
    }
    const document = withReplaced(tree, replaced);
    const { name, registry, signal } = push;
    const isMeant = reference !== undefined && reference !== tree.target.digest;
    const { mediaType } = tree.target;
    await registry.putManifest(
      name.path,
      isMeant ? reference : document.digest,
      { ...document, mediaType },
      signal,
    );
    return document;
  }

  async #pushBlobs(push: Push, { config, layers }: PushTree): Promise<ReadonlyMap<Digest, StoredBlob>> {
    const siblings = new AbortController();
    const signal = AbortSignal.any([push.signal, siblings.signal]);
    const target = { ...push, signal, mountable: this.#mountable(push) };
    const { clock } = this.#options.parts;
    const own = new Map(layers.map((layer) => [layer.digest, layer]));
    const lines = [...own.values()].map((layer) => ({
      layer,
      line: new LayerProgress<PushWord>(layer, { progress: push.progress, clock }),
    }));
    for (const { line } of lines) line.say("Preparing");
    // the largest first, so that none is left alone at the end
    const order = lines.toSorted((a, b) => b.layer.size - a.layer.size);
    for (const { line } of order.slice(PARALLEL_UPLOADS)) line.say("Waiting");
    const work = order.map(async ({ layer, line }): Promise<readonly [Digest, StoredBlob]> => {
      if (!isForeign(layer)) return [layer.digest, await this.#blobs.push(target, layer, line)];
      line.say("Skipped foreign layer");
      return [layer.digest, layer];
    });
    const rest = config ? [this.#blobs.push(target, config)] : [];
    try {
      const [pushed] = await Promise.all([Promise.all(work), Promise.all(rest)]);
      return new Map(pushed);
    } catch (error) {
      siblings.abort(error);
      await Promise.allSettled([...work, ...rest]);
      throw error;
    }
  }

  /** Repositories of the same registry that were given the blob, then those whose names its image has here. */
  #mountable({ name, image }: Push): (blob: Digest) => string[] {
    const others = this.#options.parts.catalog
      .list()
      .filter(({ id }) => id !== image.id)
      .map(({ variants, references }) => ({
        blobs: new Set(variants.flatMap((variant) => (variant.kind === "present" ? blobsOf(variant) : []))),
        names: references.map(parseReference).filter(({ domain }) => domain === name.domain),
      }));
    return (blob) => {
      const given = (this.#records.find(blob)?.repositories ?? [])
        .filter((repository) => repository.startsWith(`${name.domain}/`))
        .map((repository) => repository.slice(name.domain.length + 1));
      const named = others.filter(({ blobs }) => blobs.has(blob)).flatMap(({ names }) => names);
      return [...given, ...named.map(({ path }) => path)].filter((path) => path !== name.path);
    };
  }

  /** The digest that the registry has it under is one more name of the image, when it is not its id. */
  #remember({ name, image }: Push, tree: PushTree, { digest }: PushedDocument): void {
    if (digest === tree.target.digest) return;
    const { domain, path } = name;
    this.#options.parts.catalog.set(formatReference({ domain, path, digest }), image);
  }
}

/** @throws {EngineError} not-found, in Docker's words */
function presentFor(image: Image, name: NamedReference, platform: Platform): PresentVariant {
  const found = image.variants.filter((variant) => variant.kind === "present");
  const variant = found.find((one) => platformMatches(platform, one.platform));
  if (variant) return variant;
  throw new EngineError(
    "not-found",
    `image with reference ${familiarReference(name)} was found but does not provide the specified platform (${formatPlatform(platform)})`,
  );
}

function blobsOf({ manifest }: PresentVariant): Digest[] {
  return [manifest.config, ...manifest.layers].map(({ digest }) => digest);
}

/** Told to clients that show a note about it. [moby api/types/auxprogress/push.go] */
function insteadOfIndex(originalIndex: Descriptor, selectedManifest: Descriptor): unknown {
  return { manifestPushedInsteadOfIndex: true, originalIndex, selectedManifest };
}
