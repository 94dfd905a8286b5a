import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { type ChainId, chainIds, type DiffId } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Manifest } from "#oci/manifest.ts";
import { layerCompression } from "#oci/media-types.ts";
import { SharedWork } from "./shared-work.ts";
import type { ApplyLayer, Content, LayerSnapshots, Lease } from "./stores.ts";

export interface UnpackerOptions {
  readonly content: Pick<Content, "path">;
  readonly snapshots: LayerSnapshots;
  readonly applyLayer: ApplyLayer;
}

export interface UnpackHooks {
  /** Holds every snapshot the image needs. */
  readonly lease: Lease;
  /** Awaited before a layer is read: its blob is there then. Layers whose snapshot exists are not asked for. */
  readonly arrived?: (layer: Descriptor) => Promise<void>;
  readonly started?: (layer: Descriptor) => void;
  readonly finished?: (layer: Descriptor) => void;
}

interface Layer {
  readonly descriptor: Descriptor;
  readonly diffId: DiffId;
  readonly chainId: ChainId;
}

/**
 * Turns layer blobs into snapshots. Layers are unpacked side by side, each into a folder of its own: a layer needs
 * nothing of those below it on overlayfs. A snapshot is committed when its parent is, so what is committed is always a
 * whole chain from the ground up. A layer that two images want at once is unpacked once.
 */
export class Unpacker {
  readonly #options: UnpackerOptions;
  readonly #work = new SharedWork<void>();

  constructor(options: UnpackerOptions) {
    this.#options = options;
  }

  /**
   * Makes sure that the snapshots of an image exist.
   *
   * @returns the chain ID of the top layer, `undefined` when there are none
   * @throws {EngineError} corrupt when a layer is not what the config says; unsupported for a foreign media type
   */
  async unpack(
    image: { readonly manifest: Manifest; readonly config: ImageConfig },
    hooks: UnpackHooks,
    signal: AbortSignal,
  ): Promise<ChainId | undefined> {
    const layers = layersOf(image);
    for (const { chainId } of layers) hooks.lease.holdSnapshot(chainId);
    const top = layers.at(-1);
    if (!top) return undefined;
    await this.#ensure(layers, hooks, signal);
    return top.chainId;
  }

  /** Makes the topmost of `layers` exist, and so all below it. */
  async #ensure(layers: readonly Layer[], hooks: UnpackHooks, signal: AbortSignal): Promise<void> {
    const layer = layers.at(-1);
    while (layer && !this.#options.snapshots.find(layer.chainId)) {
      try {
        await this.#work.run(
          layer.chainId,
          (stop) => this.#make(layers, layer, { hooks, signal: stop }),
          signal,
        );
      } catch (error) {
        // the caller that began it went away with what it was fetching: begin again, with our own
        if (signal.aborted || !isAbort(error)) throw error;
      }
    }
  }

  async #make(
    layers: readonly Layer[],
    layer: Layer,
    { hooks, signal }: { readonly hooks: UnpackHooks; readonly signal: AbortSignal },
  ): Promise<void> {
    const below = layers.slice(0, -1);
    const siblings = new AbortController();
    const both = AbortSignal.any([signal, siblings.signal]);
    await using draft = await this.#options.snapshots.draft();
    const parts = [
      this.#ensure(below, hooks, both),
      this.#apply(layer, draft.path, { hooks, signal: both }),
    ] as const;
    try {
      const [, sizeBytes] = await Promise.all(parts);
      const { chainId, diffId } = layer;
      if (this.#options.snapshots.find(chainId)) return;
      await draft.commit({ chainId, parent: below.at(-1)?.chainId, diffId, sizeBytes });
      hooks.finished?.(layer.descriptor);
    } catch (error) {
      siblings.abort(error);
      await Promise.allSettled(parts);
      throw error;
    }
  }

  async #apply(
    { descriptor, diffId }: Layer,
    target: string,
    { hooks, signal }: { readonly hooks: UnpackHooks; readonly signal: AbortSignal },
  ): Promise<number> {
    const compression = layerCompression(descriptor.mediaType);
    if (compression === undefined) {
      throw new EngineError(
        "unsupported",
        `Cannot unpack layer ${descriptor.digest}: media type "${descriptor.mediaType}" is not supported`,
      );
    }
    await hooks.arrived?.(descriptor);
    signal.throwIfAborted();
    hooks.started?.(descriptor);
    const applied = await this.#options.applyLayer(
      { blob: this.#options.content.path(descriptor.digest), compression, target },
      signal,
    );
    if (applied.diffId !== diffId) {
      throw new EngineError(
        "corrupt",
        `Cannot unpack layer ${descriptor.digest}: its content has digest ${applied.diffId}, the image config says ${diffId}`,
      );
    }
    return applied.sizeBytes;
  }
}

function layersOf({
  manifest,
  config,
}: {
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}): Layer[] {
  const chain = chainIds(config.diffIds);
  return manifest.layers.flatMap((descriptor, index) => {
    const [diffId, chainId] = [config.diffIds[index], chain[index]];
    return diffId === undefined || chainId === undefined ? [] : [{ descriptor, diffId, chainId }];
  });
}

function isAbort(error: unknown): boolean {
  return EngineError.is(error, "cancelled") || (error instanceof Error && error.name === "AbortError");
}
