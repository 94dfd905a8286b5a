import type { Clock } from "#base/clock.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import { formatPlatform, hostPlatform, type Platform } from "#oci/platform.ts";
import { familiarReference, parseReference, type Reference } from "#oci/reference.ts";
import {
  danglingReference,
  type Found,
  findImage,
  type Identified,
  isDangling,
  noSuchImage,
} from "./identity.ts";
import type { Image, ImageContent, PresentVariant } from "./image.ts";
import { bestVariant, readImage, variantFor } from "./read-image.ts";
import type { Content, Records } from "./stores.ts";

export interface CatalogOptions {
  readonly content: Content;
  readonly records: Records;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Entry {
  content: ImageContent;
  /** With the internal one of a dangling image. */
  readonly names: Map<Reference, number>;
}

/**
 * Every image that has a reference, decoded and in memory, so that looking one up costs no disk and no waiting. The
 * reference table is the truth: it is written first, in one transaction, and read back at start. An image whose last
 * name moves away is kept under an internal name (it is "dangling") until it is removed.
 */
export class Catalog {
  readonly #options: CatalogOptions;
  readonly #images = new Map<Digest, Entry>();

  private constructor(options: CatalogOptions) {
    this.#options = options;
  }

  /** Reads all references. One whose image is damaged or incomplete stays in the table and is logged, not shown. */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const catalog = new Catalog(options);
    for (const { reference, target, createdAt } of options.records.references.all()) {
      const known = catalog.#images.get(target.digest);
      if (known) known.names.set(reference, createdAt);
      else await catalog.#read(reference, target, createdAt);
    }
    return catalog;
  }

  /** @throws {EngineError} not-found in Docker's words; invalid for text that is no name or an ambiguous prefix */
  get(text: string, platform?: Platform): Image {
    const found = this.#find(text);
    if (!found) throw noSuchImage(text);
    const image = this.#asImage(found.image.entry, pinned(found), platform);
    if (image) return image;
    throw new EngineError(
      "not-found",
      `image with reference ${text} was found but does not provide the specified platform (${formatPlatform(platform ?? hostPlatform())})`,
    );
  }

  /** @throws {EngineError} invalid for text that is no name or an ambiguous prefix */
  find(text: string, platform?: Platform): Image | undefined {
    const found = this.#find(text);
    return found && this.#asImage(found.image.entry, pinned(found), platform);
  }

  /** The image whose target has exactly this digest. */
  byId(id: Digest): Image | undefined {
    const entry = this.#images.get(id);
    return entry && this.#asImage(entry);
  }

  /** The id of the image that exactly this reference names. */
  idOf(reference: Reference): Digest | undefined {
    return this.#holderOf(reference)?.content.target.digest;
  }

  /** All images, most recently created first. */
  list(): Image[] {
    return [...this.#images.values()]
      .map((entry) => this.#asImage(entry))
      .filter((image) => image !== undefined)
      .toSorted((a, b) => createdAtMs(b) - createdAtMs(a) || (a.id < b.id ? -1 : 1));
  }

  /**
   * Points `reference` at what `content` holds, which must all be stored; an image that loses its last name so is left
   * dangling. Without a reference the image itself is dangling.
   */
  set(reference: Reference | undefined, content: ImageContent): Image {
    const { records, clock } = this.#options;
    const id = content.target.digest;
    const entry = this.#images.get(id) ?? { content, names: new Map<Reference, number>() };
    const name = reference ?? (entry.names.size === 0 ? danglingReference(id) : undefined);
    const at = clock();
    if (name !== undefined) {
      const holder = this.#holderOf(name);
      const left = holder && holder !== entry && holder.names.size === 1 ? holder.content.target : undefined;
      records.transaction(() => {
        if (left) records.references.set(danglingReference(left.digest), left, at);
        records.references.set(name, content.target, at);
        if (!isDangling(name)) records.references.remove(danglingReference(id));
      });
      holder?.names.delete(name);
      if (left) holder?.names.set(danglingReference(left.digest), at);
      entry.names.set(name, at);
      if (!isDangling(name)) entry.names.delete(danglingReference(id));
    }
    entry.content = content;
    this.#images.set(id, entry);
    return this.#must(entry);
  }

  /** Takes names away from an image; with its last one gone the image is gone, unless `keep` leaves it dangling. */
  unset(id: Digest, references: readonly Reference[], keep: "dangling" | "nothing"): void {
    const { records, clock } = this.#options;
    const entry = this.#images.get(id);
    if (!entry) return;
    const isLast = [...entry.names.keys()].every((name) => isDangling(name) || references.includes(name));
    const at = clock();
    records.transaction(() => {
      for (const reference of references) records.references.remove(reference);
      if (!isLast) return;
      if (keep === "nothing") records.references.remove(danglingReference(id));
      else records.references.set(danglingReference(id), entry.content.target, at);
    });
    for (const reference of references) entry.names.delete(reference);
    if (isLast && keep === "nothing") this.#images.delete(id);
    else if (isLast) entry.names.set(danglingReference(id), at);
  }

  /** Reads again what an image holds, some of which has gone. @throws {EngineError} not-found when nothing is complete */
  async refresh(id: Digest): Promise<void> {
    const entry = this.#images.get(id);
    if (entry) entry.content = await readImage(this.#options.content, entry.content.target);
  }

  async #read(reference: Reference, target: Descriptor, createdAt: number): Promise<void> {
    try {
      const content = await readImage(this.#options.content, target);
      this.#images.set(target.digest, { content, names: new Map([[reference, createdAt]]) });
    } catch (error) {
      if (!EngineError.is(error)) throw error;
      this.#options.log.warn("image cannot be read", { reference, problem: errorMessage(error) });
    }
  }

  #find(text: string): Found<Identified & { readonly entry: Entry }> | undefined {
    return findImage(text, [...this.#images.values()].map(identified));
  }

  #holderOf(reference: Reference): Entry | undefined {
    return [...this.#images.values()].find((entry) => entry.names.has(reference));
  }

  #must(entry: Entry): Image {
    const image = this.#asImage(entry);
    if (!image) throw new Error(`image ${entry.content.target.digest} has no complete platform`);
    return image;
  }

  #asImage(entry: Entry, pin?: Digest, platform?: Platform): Image | undefined {
    const { content, names } = entry;
    const variant = chooseVariant(content, pin, platform);
    if (!variant) return undefined;
    return {
      id: content.target.digest,
      target: content.target,
      references: publicNames(names),
      manifest: variant.manifest,
      manifestDigest: variant.descriptor.digest,
      configDigest: variant.manifest.config.digest,
      config: variant.config,
      sizeBytes: content.sizeBytes,
      taggedAt: Math.max(...names.values()),
      variants: content.variants,
    };
  }
}

/** The manifest or config digest that was asked for, where it was not the image's own. */
function pinned(found: Found<unknown>): Digest | undefined {
  return found.by === "manifest" || found.by === "config" ? found.digest : undefined;
}

function chooseVariant(
  content: ImageContent,
  pin: Digest | undefined,
  platform: Platform | undefined,
): PresentVariant | undefined {
  if (platform) return variantFor(content.variants, platform);
  const named = content.variants.find(
    (variant) =>
      variant.kind === "present" &&
      (variant.descriptor.digest === pin || variant.manifest.config.digest === pin),
  );
  return named?.kind === "present" ? named : bestVariant(content.variants, hostPlatform());
}

function identified(entry: Entry): Identified & { readonly entry: Entry } {
  const present = entry.content.variants.filter((variant) => variant.kind === "present");
  return {
    entry,
    id: entry.content.target.digest,
    references: publicNames(entry.names),
    manifestDigests: present.map((variant) => variant.descriptor.digest),
    configDigests: present.map((variant) => variant.manifest.config.digest),
    taggedAt: Math.max(...entry.names.values()),
  };
}

function publicNames(names: ReadonlyMap<Reference, number>): Reference[] {
  return [...names.keys()].filter((name) => !isDangling(name)).toSorted();
}

/** When an image says it was made; 0 when it does not say. Epoch milliseconds. */
export function createdAtMs(image: Pick<Image, "config">): number {
  const at = Date.parse(image.config.created ?? "");
  return Number.isNaN(at) ? 0 : at;
}

/** The tags of an image as people read them. */
export function tagsOf(image: Pick<Image, "references">): string[] {
  return image.references
    .map(parseReference)
    .filter((name) => name.digest === undefined)
    .map(familiarReference);
}
