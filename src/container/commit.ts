import type { Clock } from "#base/clock.ts";
import { rfc3339 } from "#base/clock.ts";
import { Fields } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Emit } from "#base/event.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest, DiffId } from "#oci/digest.ts";
import type { ImageConfig, ImageExecutionConfig } from "#oci/image-config.ts";
import type { Manifest } from "#oci/manifest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { familiarReference, parseReference } from "#oci/reference.ts";
import { type ContainerConfig, CONTAINER_CONFIG } from "./container-config.ts";
import type { Containers } from "./containers.ts";
import { containerEvent } from "./events.ts";
import { decodeTable } from "./field-table.ts";
import { mergeWithImage } from "./merge.ts";
import type { ContainerRecord } from "./record.ts";

/** An image to stand upon, or one that was made. */
export interface CommittedImage {
  readonly id: Digest;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
}

export interface CommitImages<I extends CommittedImage> {
  /** What a container was made from, whatever has become of the image's names. @throws {EngineError} not-found */
  ofContainer(record: Pick<ContainerRecord, "imageId" | "manifestDigest">): Promise<CommittedImage>;
  create(image: { readonly config: ImageConfig; readonly layers: readonly Descriptor[] }): Promise<I>;
  tag(image: I, reference: string): Promise<I>;
}

export interface CommitOptions<I extends CommittedImage> {
  readonly containers: Pick<Containers, "inspect" | "pause" | "unpause" | "holdRoot">;
  readonly images: CommitImages<I>;
  readonly content: {
    write(
      source: AsyncIterable<Uint8Array>,
      expected: Readonly<Record<string, never>>,
      signal: AbortSignal,
    ): Promise<{ readonly digest: Digest; readonly size: number }>;
  };
  /** The container's own layer as it is. */
  readonly layer: (
    upper: string,
    signal: AbortSignal,
  ) => {
    readonly content: AsyncIterable<Uint8Array>;
    readonly written: Promise<{ readonly diffId: DiffId; readonly entries: number }>;
  };
  readonly snapshots: { upperPath(key: string): string };
  readonly leases: { open(): Disposable & { holdBlob(digest: Digest): void } };
  readonly applyChanges: (
    config: ImageExecutionConfig,
    changes: readonly string[],
  ) => Promise<ImageExecutionConfig>;
  readonly emit: Emit;
  readonly clock: Clock;
}

export interface CommitRequest {
  readonly container: string;
  /** A whole name, with tag; without one the image is dangling. */
  readonly reference: string | undefined;
  readonly comment: string;
  readonly author: string;
  /** The container's processes stand still meanwhile. */
  readonly pauses: boolean;
  /** Dockerfile instructions. */
  readonly changes: readonly string[];
  /** Instead of the container's own configuration, whose values fill what it leaves open. */
  readonly config: ImageExecutionConfig | undefined;
}

/**
 * Makes an image of a container's image and what the container has changed of its files. Its volumes are no part of it.
 *
 * @throws {EngineError} not-found, conflict, invalid for a change
 */
export async function commitContainer<I extends CommittedImage>(
  options: CommitOptions<I>,
  request: CommitRequest,
  signal: AbortSignal,
): Promise<Digest> {
  const { containers, images, emit } = options;
  const { id, state, config } = containers.inspect(request.container);
  if (state.status === "dead") {
    throw new EngineError("conflict", `You cannot commit container ${id} which is Dead`);
  }
  if (state.status === "removing") {
    throw new EngineError("conflict", `You cannot commit container ${id} which is being removed`);
  }
  const changed = await options.applyChanges(request.config ?? executionConfig(config), request.changes);
  const execution = executionConfig(mergeWithImage(asContainerConfig(changed), executionConfig(config)));
  using held = containers.holdRoot(id);
  const base = await images.ofContainer(held.record);
  using lease = options.leases.open();
  const layer = await pausedIf(request.pauses && state.status === "running", options, id, () =>
    writeLayer(options, id, AbortSignal.any([signal, held.signal])),
  );
  if (layer.descriptor) lease.holdBlob(layer.descriptor.digest);
  let image = await images.create(
    childOf(base, { layer, execution, request, record: held.record, now: options.clock() }),
  );
  if (request.reference !== undefined) image = await images.tag(image, request.reference);
  const imageRef =
    request.reference === undefined ? "" : familiarReference(parseReference(request.reference));
  emit(containerEvent(held.record, "commit", { comment: request.comment, imageID: image.id, imageRef }));
  return image.id;
}

/** A layer, or none when the container has changed no file. */
interface ContainerLayer {
  readonly descriptor?: Descriptor;
  readonly diffIds: readonly DiffId[];
}

async function writeLayer<I extends CommittedImage>(
  { content, layer, snapshots }: CommitOptions<I>,
  id: string,
  signal: AbortSignal,
): Promise<ContainerLayer> {
  const stream = layer(snapshots.upperPath(id), signal);
  const { digest, size } = await content.write(stream.content, {}, signal);
  const { diffId, entries } = await stream.written;
  // Of an unchanged container, only the root itself is left.
  if (entries <= 1) return { diffIds: [] };
  return { descriptor: { mediaType: MEDIA_TYPE.ociLayer, digest, size }, diffIds: [diffId] };
}

/** Stands the container still while `work` runs; it goes on in any case. */
async function pausedIf<T, I extends CommittedImage>(
  pauses: boolean,
  { containers }: CommitOptions<I>,
  id: string,
  work: () => Promise<T>,
): Promise<T> {
  if (!pauses) return await work();
  await using stack = new AsyncDisposableStack();
  try {
    await containers.pause(id);
    stack.defer(() => containers.unpause(id));
  } catch (error) {
    // It has ended or was paused meanwhile: its files stand still then.
    if (!EngineError.is(error, "conflict")) throw error;
  }
  return await work();
}

function childOf(
  base: CommittedImage,
  made: {
    readonly layer: ContainerLayer;
    readonly execution: ImageExecutionConfig;
    readonly request: CommitRequest;
    readonly record: ContainerRecord;
    readonly now: number;
  },
): { readonly config: ImageConfig; readonly layers: readonly Descriptor[] } {
  const { layer, execution, request, record, now } = made;
  const created = rfc3339(now);
  const { author, comment } = request;
  return {
    config: {
      created,
      ...(author !== "" && { author }),
      platform: base.config.platform,
      config: execution,
      diffIds: [...base.config.diffIds, ...layer.diffIds],
      history: [
        ...base.config.history,
        {
          created,
          createdBy: (record.config.cmd ?? []).join(" "),
          ...(author !== "" && { author }),
          ...(comment !== "" && { comment }),
          ...(layer.descriptor === undefined && { emptyLayer: true }),
        },
      ],
    },
    layers: [...base.manifest.layers, ...(layer.descriptor ? [layer.descriptor] : [])],
  };
}

/** What of a container's configuration an image keeps. */
function executionConfig(config: ContainerConfig): ImageExecutionConfig {
  const { user, env, entrypoint, cmd, workingDir, stopSignal, healthcheck, shell, onBuild } = config;
  return {
    ...(user !== undefined && { user }),
    exposedPorts: config.exposedPorts,
    ...(env !== undefined && { env }),
    ...(entrypoint !== undefined && { entrypoint }),
    ...(cmd !== undefined && { cmd }),
    volumes: config.volumes,
    ...(workingDir !== undefined && { workingDir }),
    labels: config.labels,
    ...(stopSignal !== undefined && { stopSignal }),
    argsEscaped: config.argsEscaped,
    ...(healthcheck !== undefined && { healthcheck }),
    ...(shell !== undefined && { shell }),
    ...(onBuild !== undefined && { onBuild }),
  };
}

function asContainerConfig(config: ImageExecutionConfig): ContainerConfig {
  return {
    ...NO_CONFIG,
    user: config.user || undefined,
    exposedPorts: config.exposedPorts ?? [],
    env: config.env,
    entrypoint: config.entrypoint,
    cmd: config.cmd,
    volumes: config.volumes ?? [],
    workingDir: config.workingDir || undefined,
    labels: config.labels ?? new Map(),
    stopSignal: config.stopSignal || undefined,
    argsEscaped: config.argsEscaped ?? false,
    healthcheck: config.healthcheck,
    shell: config.shell,
    onBuild: config.onBuild,
  };
}

const NO_CONFIG: ContainerConfig = decodeTable(CONTAINER_CONFIG, new Fields({}));
