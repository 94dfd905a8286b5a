import { type Clock, systemClock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import { newId } from "#base/ids.ts";
import { decompressed } from "#image/decompress.ts";
import type { Image, Progress } from "#image/image.ts";
import type { ImageStore } from "#image/image-store.ts";
import type { ChainId, Digest } from "#oci/digest.ts";
import { chainIds, digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform, type Platform } from "#oci/platform.ts";
import { familiarReference, parseReference } from "#oci/reference.ts";
import type { BuildRequest } from "./build-request.ts";
import { ClassicStream, type WriteText } from "./classic-stream.ts";
import { BuildContext } from "./context/build-context.ts";
import { ContextRegistry, SharedContext } from "./context/context-registry.ts";
import { knownSelectionDigest, selectFiles } from "./context/select.ts";
import { type Dockerfile, parseDockerfile } from "./dockerfile/parse.ts";
import type { ExecutorOptions } from "./executor/executor-options.ts";
import { type MountTable, StepExecutor } from "./executor/step-executor.ts";
import { imageOf } from "./exporter/image-of.ts";
import { BuildArgs } from "./graph/build-args.ts";
import { buildGraph } from "./graph/build-graph.ts";
import type { Layer } from "./graph/file-system.ts";
import type { BaseImage, GraphOptions, GraphSources } from "./graph/sources.ts";
import { BuildCache } from "./solver/build-cache.ts";
import { Solver } from "./solver/solver.ts";

/** Images as the builder needs them; `image/` is the real one. */
export type BuilderImages = Pick<ImageStore, "find" | "pull" | "unpack" | "create" | "tag">;

/** What a build holds is not collected while it runs. */
export interface BuildLeases {
  open(): { holdBlob(digest: Digest): void; holdSnapshot(chainId: ChainId): void } & Disposable;
}

export interface BuilderOptions extends Omit<ExecutorOptions, "unpack" | "contexts"> {
  readonly images: BuilderImages;
  readonly leases: BuildLeases;
  readonly clock?: Clock;
}

/** What a build tells while it runs. */
export interface BuildOutput {
  readonly write: WriteText;
  /** Of base images being fetched. */
  readonly pullProgress: Progress;
}

/**
 * Builds images. Start with docs/builder.md. The pipeline is bytes → syntax tree (`dockerfile/`) → graph (`graph/`) →
 * results (`solver/`, which has `executor/` do the work) → image (`exporter/`); this file joins them for one request.
 */
export class Builder {
  readonly cache: BuildCache;
  readonly #options: BuilderOptions;
  readonly #contexts = new ContextRegistry();
  readonly #executor: StepExecutor;
  readonly #solver: Solver;

  constructor(options: BuilderOptions) {
    this.#options = options;
    const clock = options.clock ?? systemClock;
    this.cache = new BuildCache(options.documents, clock);
    const unpack = async (layers: readonly Layer[], signal: AbortSignal): Promise<void> => {
      await options.images.unpack(imageOfLayers(layers), signal);
    };
    this.#executor = new StepExecutor({ ...options, unpack, contexts: this.#contexts });
    this.#solver = new Solver({ cache: this.cache, executor: this.#executor, now: clock });
  }

  /** Once, at start: removes mounts and folders of steps that a dead engine left. */
  async recover(kernel: MountTable): Promise<void> {
    await this.#executor.recover(kernel);
  }

  /** Active snapshots that must outlive a restart: the folders of cache mounts. */
  snapshotKeys(): string[] {
    return this.#executor.caches.keys();
  }

  /** Forgets results of steps. The caller collects what nothing holds any more. */
  async prune(options: { readonly unusedSince?: number }): Promise<{ readonly digests: Digest[] }> {
    const removed = this.cache.prune(options);
    if (options.unusedSince === undefined) await this.#executor.caches.prune();
    return { digests: removed.map(({ digest }) => digest) };
  }

  /**
   * Reads the context and the Dockerfile in it, builds the target, and gives the image its names.
   *
   * @throws {EngineError} invalid, pointing into the Dockerfile; {StepError} when a command fails
   */
  async build(request: BuildRequest, output: BuildOutput, signal: AbortSignal): Promise<Image> {
    await using stack = new AsyncDisposableStack();
    const lease = stack.use(this.#options.leases.open());
    const plain = decompressed(request.context, "the build context");
    const context = await BuildContext.read(plain, this.#options.folder, signal);
    const shared = stack.use(new SharedContext(context));
    const dockerfile = await readDockerfile(context, request.dockerfile);
    const buildArgs = new BuildArgs(request.buildArgs);
    const graph = await buildGraph(dockerfile, graphOptions(request, buildArgs), {
      image: async (reference, platform) => {
        const image = await this.#image(reference, { platform, request, output }, signal);
        for (const { digest } of image.manifest.layers) lease.holdBlob(digest);
        for (const chainId of chainIds(image.config.diffIds)) lease.holdSnapshot(chainId);
        return baseImage(image);
      },
      contextDigest: this.#contextDigest(context, shared, stack),
    });
    const stream = new ClassicStream(graph.steps, output.write);
    await stream.start();
    const solved = await this.#solve(graph.result.vertex, { request, stream }, signal);
    for (const warning of graph.warnings) await output.write(`[Warning] ${warning}\n`);
    const epochMs = sourceDateEpoch(request.buildArgs);
    const made = imageOf(graph.result, solved, epochMs === undefined ? {} : { epochMs });
    signal.throwIfAborted();
    return await this.#export(made, request);
  }

  async #solve(
    vertex: Parameters<Solver["solve"]>[0],
    { request, stream }: { readonly request: BuildRequest; readonly stream: ClassicStream },
    signal: AbortSignal,
  ): ReturnType<Solver["solve"]> {
    let failed: Digest | undefined;
    try {
      return await this.#solver.solve(
        vertex,
        {
          ignoresCache: request.ignoresCache,
          id: newId(),
          onEvent: async (event) => {
            if (event.kind === "failed") failed ??= event.vertex.digest;
            await stream.take(event);
          },
        },
        signal,
      );
    } catch (error) {
      await stream.fail(failed);
      throw error;
    }
  }

  async #export(made: ReturnType<typeof imageOf>, { tags }: BuildRequest): Promise<Image> {
    const { images } = this.#options;
    let image = await images.create({ config: made.config, layers: made.layers });
    for (const tag of tags) image = await images.tag(image, familiarReference(parseReference(tag)));
    return image;
  }

  async #image(
    reference: string,
    wanted: { readonly platform: Platform; readonly request: BuildRequest; readonly output: BuildOutput },
    signal: AbortSignal,
  ): Promise<Image> {
    const { platform, request, output } = wanted;
    const { images } = this.#options;
    const known = request.pulls ? undefined : images.find(reference, platform);
    if (known !== undefined) return known;
    const credentials = request.credentials.get(registryOf(reference));
    const options = { platform, ...(credentials && { credentials }) };
    return await images.pull(reference, options, output.pullProgress, signal);
  }

  #contextDigest(
    context: BuildContext,
    shared: SharedContext,
    stack: AsyncDisposableStack,
  ): GraphSources["contextDigest"] {
    return (selection) => {
      const roots = selectFiles(context, selection);
      const digest = knownSelectionDigest(context, roots);
      stack.use(this.#contexts.enter(shared, selection, digest));
      return { digest, isEmpty: roots.length === 0 };
    };
  }
}

async function readDockerfile(context: BuildContext, name: string | undefined): Promise<Dockerfile> {
  const wanted = name ?? "Dockerfile";
  const isPresent = context.find(wanted, { follow: true }) !== undefined;
  const found =
    !isPresent && name === undefined && context.find("dockerfile", { follow: true }) ? "dockerfile" : wanted;
  const text = await context.readText(found);
  await context.applyIgnoreFile(found);
  return parseDockerfile(text, found);
}

function graphOptions(request: BuildRequest, buildArgs: BuildArgs): GraphOptions {
  const { target, labels, platform, network, extraHosts, resources, rlimits, shmBytes, cgroupParent } =
    request;
  const [tag] = request.tags;
  return {
    ...(target !== undefined && { target }),
    buildArgs,
    labels,
    platform: platform ?? hostPlatform(),
    buildPlatform: hostPlatform(),
    network,
    extraHosts,
    resources,
    rlimits,
    ...(shmBytes !== undefined && { shmBytes }),
    ...(cgroupParent !== undefined && { cgroupParent }),
    project: `${tag ?? ""} ${request.dockerfile ?? ""}`,
  };
}

function baseImage({ id, manifest, config }: Image): BaseImage {
  const layers = config.diffIds.map((diffId, index) => {
    const descriptor = manifest.layers[index];
    if (descriptor === undefined)
      throw new EngineError("corrupt", `Cannot build on image ${id}: it lacks a layer`);
    return { descriptor, diffId };
  });
  return { id, fileSystem: { layers }, config };
}

/** What the image room needs to unpack layers that belong to no image. */
function imageOfLayers(layers: readonly Layer[]): Pick<Image, "manifest" | "config"> {
  const nothing = { mediaType: MEDIA_TYPE.ociConfig, digest: digestOf(""), size: 0 };
  return {
    manifest: {
      mediaType: MEDIA_TYPE.ociManifest,
      config: nothing,
      layers: layers.map(({ descriptor }) => descriptor),
    },
    config: {
      platform: hostPlatform(),
      config: {},
      diffIds: layers.map(({ diffId }) => diffId),
      history: [],
    },
  };
}

/** The key under which clients keep a registry's credentials. */
function registryOf(reference: string): string {
  const { domain } = parseReference(reference);
  return domain === "docker.io" ? "https://index.docker.io/v1/" : domain;
}

/** @throws {EngineError} invalid when it is not a whole number of seconds */
function sourceDateEpoch(args: ReadonlyMap<string, string>): number | undefined {
  const value = args.get("SOURCE_DATE_EPOCH");
  if (value === undefined || value === "") return undefined;
  if (!/^\d{1,12}$/.test(value)) {
    throw new EngineError("invalid", `Cannot use SOURCE_DATE_EPOCH=${value}: it must be whole seconds`);
  }
  return Number(value) * 1000;
}
