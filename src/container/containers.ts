import { EngineError } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import { KeyedLock } from "#base/lock.ts";
import { attachTo, type AttachOptions, type AttachSession } from "./attaching.ts";
import { Background } from "./background.ts";
import { type CreatedContainer, createContainer, type CreateRequest } from "./creation.ts";
import { launchAndWatch } from "./ending.ts";
import { containerEvent } from "./events.ts";
import { Execs } from "./execs.ts";
import { containerPaths } from "./folders.ts";
import { type Filters, type ListOptions, selectContainers, selectForPrune } from "./list-filters.ts";
import { HealthMonitor } from "./health/health-monitor.ts";
import { runProbe } from "./health/probe.ts";
import { Lives, type WaitOutcome } from "./live.ts";
import { LogKeeper } from "./logs/log-keeper.ts";
import { type LogPiece, type LogQuery, readLog } from "./logs/log-reader.ts";
import { type ContainerSizes, descendsFrom, imageNamed, sizesOf } from "./lineage.ts";
import { type HeldRoot, holdRoot } from "./mounting.ts";
import type { TerminalSize } from "./neighbours.ts";
import type { EndpointConfig } from "./host-config.ts";
import { connectNetwork, disconnectNetwork } from "./networking.ts";
import { pauseContainer, unpauseContainer } from "./pausing.ts";
import { type Liveness, recoverContainers } from "./recovery.ts";
import type { ContainerRecord } from "./record.ts";
import { Registry } from "./registry.ts";
import { finishRemoval } from "./removal.ts";
import { removeContainer } from "./remove-container.ts";
import { RootHolds } from "./root-holds.ts";
import { exitCodeOf, isAlive } from "./state.ts";
import { type ContainerStats, readStats, type StatsOptions } from "./stats.ts";
import { killContainer, stopContainer, type StopOptions } from "./stopping.ts";
import { topContainer } from "./top.ts";
import { type LimitChange, updateContainer } from "./update.ts";
import type { ProcessTable } from "./usage.ts";
import { checkName } from "./validate.ts";
import { renameVolumeInRecords } from "./volume-names.ts";
import type { ContainersOptions, World } from "./world.ts";

export type WaitCondition = "not-running" | "next-exit" | "removed";

/**
 * Every container of this engine, from create to remove. Each has one record, saved before it is shown, and one writer
 * at a time: whatever changes a container runs under the lock of its id. What a container does by itself (its process
 * ends) comes in through the runtime's `exited`, and is handled as any other change.
 *
 * The parts: `creation`, `launch`, `ending` (exit, clean-up, restart), `stopping`, `pausing`, `removal`, `recovery`,
 * `attaching`, `execs`, `health/`, `stats`, `top`, `update`, `logs/`; pure rules are in `state`, `merge`, `validate`, `mount-plan`, `restart-policy`, `spec-plan`.
 */
export class Containers {
  readonly #world: World;
  readonly execs: Execs;

  private constructor(world: World) {
    this.#world = world;
    this.execs = new Execs(world);
  }

  /** Reads the records. Call `recover` before anything else. */
  static open(options: ContainersOptions): Containers {
    const { documents, log } = options;
    const parts = {
      ...options,
      registry: Registry.load(documents, log),
      lives: new Lives(),
      lock: new KeyedLock(),
      background: new Background(log),
      roots: new RootHolds(),
      logs: new LogKeeper({ reopenLog: (id) => options.runtime.reopenLog(id), log }),
    };
    const health = new HealthMonitor({
      ...parts,
      after,
      probe: (id, plan, signal) => runProbe(containers.execs, id, { plan, signal }),
    });
    const containers = new Containers({ ...parts, health });
    return containers;
  }

  /** See `recoverContainers`. */
  async recover(reconcile: (liveness: Liveness) => Promise<void>): Promise<void> {
    await recoverContainers(this.#world, reconcile);
  }

  /** Lets go: no timer fires any more, and clean-up that runs is finished. Containers go on. */
  async close(): Promise<void> {
    this.#world.lives.close();
    this.#world.health.close();
    await this.#world.logs.close();
    await this.#world.background.idle();
  }

  /** @throws {EngineError} see `createContainer` */
  async create(request: CreateRequest, signal: AbortSignal): Promise<CreatedContainer> {
    // whoever creates most often starts within milliseconds
    this.#world.runtime.anticipate();
    return await createContainer(this.#world, request, signal);
  }

  /** @throws {EngineError} not-found, conflict; whatever keeps the process from starting */
  async start(reference: string): Promise<"started" | "already-started"> {
    const { id } = this.#get(reference);
    return await this.#world.lock.run(id, async () => {
      const record = this.#get(id);
      const { status } = record.state;
      if (status === "running" || status === "restarting") return "already-started";
      if (status === "paused") {
        throw new EngineError("conflict", "cannot start a paused container, try unpause instead");
      }
      if (status === "removing" || status === "dead") {
        throw new EngineError("conflict", "container is marked for removal and cannot be started");
      }
      this.#world.registry.update(id, () => ({ restartCount: 0, wasStoppedByHand: false }));
      this.#world.lives.get(id).restartDelayMs = undefined;
      try {
        await launchAndWatch(this.#world, id);
      } catch (error) {
        if (record.hostConfig.autoRemove) await this.#removeAfterFailedStart(id);
        throw error;
      }
      return "started";
    });
  }

  /** @throws {EngineError} not-found, invalid for an unknown signal */
  async stop(reference: string, options: StopOptions): Promise<"stopped" | "already-stopped"> {
    return await stopContainer(this.#world, this.#get(reference).id, options);
  }

  /** Stops it if it runs, and starts it. */
  async restart(reference: string, options: StopOptions): Promise<void> {
    const { id } = this.#get(reference);
    await stopContainer(this.#world, id, options);
    await this.start(id);
    this.#emit(this.#get(id), "restart");
  }

  /** @throws {EngineError} not-found, conflict when it does not run, invalid for an unknown signal */
  async kill(reference: string, signal: string): Promise<void> {
    await killContainer(this.#world, reference, signal);
  }

  /** @throws {EngineError} conflict unless it runs */
  async pause(reference: string): Promise<void> {
    await pauseContainer(this.#world, this.#get(reference).id);
  }

  /** @throws {EngineError} internal, as Docker has it, when it is not paused */
  async unpause(reference: string): Promise<void> {
    await unpauseContainer(this.#world, this.#get(reference).id);
  }

  /**
   * Deletes a container, with `force` a running one too.
   *
   * @throws {EngineError} conflict while it runs or is being removed
   */
  async remove(reference: string, options: { force: boolean; removesVolumes: boolean }): Promise<void> {
    await removeContainer(this.#world, reference, options);
  }

  /** Resolves when the condition holds. Rejects when `signal` fires. @throws {EngineError} not-found */
  async wait(reference: string, condition: WaitCondition, signal: AbortSignal): Promise<WaitOutcome> {
    const { id, state } = this.#get(reference);
    const live = this.#world.lives.get(id);
    if (condition === "removed") return await live.removed(signal);
    const isOver = !isAlive(state) && state.status !== "restarting";
    if (condition === "not-running" && isOver) return { exitCode: exitCodeOf(state) };
    return await live.nextExit(signal);
  }

  /** @throws {EngineError} invalid for the name, conflict when it is taken */
  async rename(reference: string, newName: string): Promise<void> {
    const { id } = this.#get(reference);
    const name = newName.replace(/^\//, "");
    if (name === "") throw new EngineError("invalid", "Neither old nor new names may be empty");
    checkName(name);
    await this.#world.lock.run(id, async () => {
      const before = this.#get(id);
      if (before.name === name) {
        throw new EngineError("invalid", "Renaming a container with the same name as its current name");
      }
      using _name = this.#world.registry.reserveName(name, id);
      const record = this.#world.registry.update(id, () => ({ name }));
      this.#world.network.rename(id, name);
      this.#emit(record, "rename", { oldName: `/${before.name}` });
      await Promise.resolve();
    });
  }

  /** @throws {EngineError} see `networking.ts` */
  async connectNetwork(reference: string, network: string, endpoint: EndpointConfig): Promise<void> {
    await connectNetwork(this.#world, reference, { network, endpoint });
  }

  /** @throws {EngineError} see `networking.ts` */
  async disconnectNetwork(
    reference: string,
    network: string,
    options: { readonly force: boolean },
  ): Promise<void> {
    await disconnectNetwork(this.#world, reference, { network, ...options });
  }

  /** @throws {EngineError} see `updateContainer` */
  async update(reference: string, change: LimitChange): Promise<string[]> {
    return await updateContainer(this.#world, reference, change);
  }

  /** @throws {EngineError} see `topContainer` */
  async top(reference: string, psOptions: string, signal: AbortSignal): Promise<ProcessTable> {
    return await topContainer(this.#world, reference, { psOptions, signal });
  }

  /** @throws {EngineError} see `readStats` */
  stats(reference: string, options: StatsOptions, signal: AbortSignal): AsyncIterable<ContainerStats> {
    return readStats(this.#world, reference, { options, signal });
  }

  /** @throws {EngineError} conflict unless it runs */
  resize(reference: string, size: TerminalSize): void {
    const record = this.#get(reference);
    if (!isAlive(record.state)) throw new EngineError("conflict", `container ${record.id} is not running`);
    this.#world.runtime.resize(record.id, size);
    this.#emit(record, "resize", { height: String(size.rows), width: String(size.columns) });
  }

  /** By id, name or prefix. @throws {EngineError} not-found, invalid */
  inspect(reference: string): ContainerRecord {
    return this.#get(reference);
  }

  /** Keeps the container's root mounted until disposed, whether it runs or not. @throws {EngineError} not-found, conflict */
  holdRoot(reference: string): HeldRoot & { readonly record: ContainerRecord } {
    const record = this.#get(reference);
    const { id, state } = record;
    if (state.status === "dead") {
      throw new EngineError("conflict", `You cannot use the files of container ${id} which is Dead`);
    }
    if (state.status === "removing") {
      throw new EngineError("conflict", `You cannot use the files of container ${id} which is being removed`);
    }
    const held = holdRoot(this.#world, id);
    return { record, path: held.path, signal: held.signal, [Symbol.dispose]: () => held[Symbol.dispose]() };
  }

  /** Where the container's files lie, as inspect tells. */
  paths(id: ContainerId): ReturnType<typeof containerPaths> & { readonly upper: string } {
    return { ...containerPaths(this.#world.folders, id), upper: this.#world.snapshots.upperPath(id) };
  }

  async sizes(record: ContainerRecord): Promise<ContainerSizes> {
    return await sizesOf(this.#world, record);
  }

  /** @throws {EngineError} invalid for an unknown filter */
  list(options: ListOptions): ContainerRecord[] {
    const { registry } = this.#world;
    return selectContainers(registry.list(), options, {
      find: (reference) => registry.find(reference),
      descendsFrom: (record, image) => descendsFrom(this.#world, record, image),
    });
  }

  /** The name a list shows for a container's image: its id when the name has moved on. */
  imageName({ config, imageId }: ContainerRecord): string {
    const name = config.image ?? "";
    return imageNamed(this.#world.images, name)?.id === imageId ? name : imageId;
  }

  /** The containers that mount a volume, running or not, and those that are being made with it. */
  usersOfVolume(name: string): ContainerId[] {
    return this.#world.registry.usersOfVolume(name);
  }

  /** Those of them that run or are about to: they have the volume mounted. */
  activeUsersOfVolume(name: string): ContainerId[] {
    const { registry, lock } = this.#world;
    return registry.usersOfVolume(name).filter((id) => {
      const record = registry.byId(id);
      return record === undefined || isAlive(record.state) || lock.isHeld(id);
    });
  }

  /** Of containers that have the volume: their records follow its new name. None of them runs. */
  renameVolume(name: string, newName: string): void {
    renameVolumeInRecords(this.#world, name, newName);
  }

  /** Removes those that do not run. Answers what went and how many bytes it had. */
  async prune(
    filters: Filters,
  ): Promise<{ readonly removed: ContainerId[]; readonly reclaimedBytes: number }> {
    const { registry, clock } = this.#world;
    const removed: ContainerId[] = [];
    let reclaimedBytes = 0;
    for (const record of selectForPrune(registry.list(), filters, clock())) {
      const { writableBytes } = await this.sizes(record);
      try {
        await this.remove(record.id, { force: false, removesVolumes: false });
      } catch (error) {
        // Started or removed meanwhile: it is not ours to take.
        if (EngineError.is(error, "conflict") || EngineError.is(error, "not-found")) continue;
        throw error;
      }
      removed.push(record.id);
      reclaimedBytes += writableBytes;
    }
    const attributes = { reclaimed: String(reclaimedBytes) };
    this.#world.emit({ type: "container", action: "prune", id: "", attributes });
    return { removed, reclaimedBytes };
  }

  /** @throws {EngineError} not-found, conflict; see `attachTo` */
  attach(reference: string, options: AttachOptions, signal: AbortSignal): AttachSession {
    return attachTo(this.#world, reference, options, signal);
  }

  /**
   * What the container has written, in batches; with `follows` also what it will write, until it has stopped for good.
   *
   * @throws {EngineError} not-found; unsupported for the driver `none`
   */
  logs(
    reference: string,
    query: LogQuery & { readonly follows: boolean },
    signal: AbortSignal,
  ): AsyncIterable<readonly LogPiece[]> {
    const { id, state, hostConfig } = this.#get(reference);
    if (hostConfig.logConfig.type === "none") {
      throw new EngineError("unsupported", "configured logging driver does not support reading");
    }
    const isOver = !isAlive(state) && state.status !== "restarting";
    const ended = isOver || !query.follows ? undefined : this.#ended(id, signal);
    return readLog(containerPaths(this.#world.folders, id).log, query, ended && { ended }, signal);
  }

  async #ended(id: ContainerId, signal: AbortSignal): Promise<void> {
    await this.#world.lives
      .get(id)
      .nextExit(signal)
      .catch(() => undefined);
  }

  async #removeAfterFailedStart(id: ContainerId): Promise<void> {
    const record = this.#get(id);
    await finishRemoval(this.#world, record, { removesVolumes: true, answersFirst: false });
  }

  #get(reference: string): ContainerRecord {
    return this.#world.registry.get(reference);
  }

  #emit(record: ContainerRecord, action: string, attributes: Readonly<Record<string, string>> = {}): void {
    this.#world.emit(containerEvent(record, action, attributes));
  }
}

function after(delayMs: number, work: () => void): Disposable {
  const timer = setTimeout(work, delayMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
