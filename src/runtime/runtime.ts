import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import { cgroupRoots } from "#linux/cgroups.ts";
import type { Kernel } from "#linux/kernel.ts";
import { findProgram } from "#linux/process.ts";
import type { LinuxResources, RuntimeSpec } from "#oci/runtime-spec.ts";
import type { Attachment } from "./attachment.ts";
import { CgroupWarmUp } from "./cgroup-warm-up.ts";
import { ContainerCgroups } from "./container-cgroups.ts";
import type { ContainerExit } from "./container-exit.ts";
import type { ContainerPlace } from "./container-place.ts";
import { sendControl } from "./control-fifo.ts";
import { createContainer } from "./create-container.ts";
import { findSession, killLeftovers, killSession } from "./exec-session.ts";
import type { KeptContainer } from "./kept-container.ts";
import { OciRuntime } from "./oci-runtime.ts";
import { type RecoveredContainer, recoverContainer } from "./recover-container.ts";
import { removeRemains } from "./remove-bundle.ts";
import { RunLayout } from "./run-layout.ts";
import { removeStep, runStep, type StepOptions, type StepTools } from "./run-step.ts";
import { SeccompFilters } from "./seccomp-filters.ts";
import { parseSignal } from "./signals.ts";
import { type ExecOptions, type RunningExec, startExec } from "./start-exec.ts";
import { sendSize, type TerminalSize } from "./terminal-size.ts";

/** What of `linux/` the runtime needs. */
export type RuntimeKernel = Pick<Kernel, "openPidfd" | "connectSeqpacket" | "mounts">;

export interface RuntimeOptions {
  /** `/run/darse`. */
  readonly runDirectory: string;
  readonly kernel: RuntimeKernel;
  readonly log: Logger;
  /** The OCI runtimes one may name, by path or program name; crun is there always. */
  readonly runtimes?: ReadonlyMap<string, string>;
  /** Its name; crun when absent. */
  readonly defaultRuntime?: string;
}

export interface CreateOptions {
  readonly id: string;
  /** May still be in the making (mounts, network): conmon loads meanwhile. Its rejection is passed on. */
  readonly spec: RuntimeSpec | Promise<RuntimeSpec>;
  /** Where the output goes, in the CRI text format; nowhere when there is no path. The file is appended to. */
  readonly log: { readonly path?: string };
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** The process's stdin ends with the first client that was attached to it. */
  readonly stdinOnce: boolean;
  /** Name of the OCI runtime; the default one when absent. */
  readonly runtime?: string;
}

/**
 * Runs containers: crun makes them, one conmon each keeps them, and both outlive the engine. Start with
 * docs/runtime.md. One instance owns `<run>/containers`, `steps`, `exits` and the runtimes' state below `<run>`.
 */
export class Runtime {
  readonly #options: RuntimeOptions;
  readonly #layout: RunLayout;
  readonly #cgroups: ContainerCgroups;
  readonly #filters = new SeccompFilters();
  readonly #warmUp: CgroupWarmUp;
  readonly #runtimes = new Map<string, OciRuntime>();
  readonly #kept = new Map<string, KeptContainer>();

  private constructor(options: RuntimeOptions) {
    this.#options = options;
    this.#layout = new RunLayout(options.runDirectory);
    const mounts = options.kernel.mounts();
    this.#cgroups = new ContainerCgroups(cgroupRoots(mounts));
    this.#warmUp = new CgroupWarmUp(mounts, options.log);
    for (const folder of [this.#layout.containers, this.#layout.steps, this.#layout.exits]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
  }

  static open(options: RuntimeOptions): Runtime {
    return new Runtime(options);
  }

  /** The bundle of a container: there may be none yet. */
  bundlePath(id: string): string {
    return this.#layout.bundle(id);
  }

  /** Where the caller mounts the root file system before `create`, and unmounts it before `delete`. */
  rootfsPath(id: string): string {
    return join(this.#layout.bundle(id), "rootfs");
  }

  /**
   * Says that a container, an exec or a step is about to be started, which is then faster (`CgroupWarmUp`). `create`,
   * `exec` and `runToEnd` say so themselves; whoever knows some milliseconds earlier gains those.
   */
  anticipate(): void {
    this.#warmUp.begin();
  }

  /**
   * Makes a container whose process waits for `start`. When it fails nothing is left but what the caller made.
   * @throws {StartError} when the process cannot be started: a missing program, a bad working directory
   * @throws {EngineError} conflict when the id is taken, invalid for an unknown runtime, unavailable without conmon
   */
  async create(options: CreateOptions, signal: AbortSignal): Promise<{ pid: number }> {
    if (this.#kept.has(options.id)) {
      throw new EngineError("conflict", `Cannot create container ${options.id}: it exists already`);
    }
    this.anticipate();
    const runtime = options.runtime ?? this.#defaultRuntime;
    const container = await createContainer(this.#place(options.id), { ...options, runtime }, signal);
    this.#kept.set(options.id, container);
    return { pid: container.pid };
  }

  async start(id: string): Promise<void> {
    await this.#get(id).start();
  }

  /** `signal` by name or number, to the init or, with `all`, to every process in the container's cgroup. */
  async kill(id: string, signal: string | number, options: { all?: boolean } = {}): Promise<"sent" | "gone"> {
    return await this.#get(id).kill(parseSignal(String(signal)), options.all ?? false);
  }

  async pause(id: string): Promise<void> {
    await this.#get(id).pause();
  }

  async resume(id: string): Promise<void> {
    await this.#get(id).resume();
  }

  /**
   * Joins the container's streams; between `create` and `start` this loses no byte. `stdin: false` is a client that
   * only looks on: its going does not end the process's stdin.
   * @throws {EngineError} conflict when the container has ended
   */
  async attach(id: string, options: { stdin?: boolean } = {}): Promise<Attachment> {
    return await this.#get(id).streams.attach({ stdin: options.stdin ?? true });
  }

  /** Sets the size of the container's terminal; nothing when it has ended. */
  resize(id: string, size: TerminalSize): void {
    sendSize(this.#layout.bundle(id), size);
  }

  /**
   * Has conmon go on with its log in a new file; false when it has ended. The file written so far must have a second
   * name by then, or it is gone. The new one has the log's name when conmon has taken this up.
   */
  reopenLog(id: string): boolean {
    return sendControl(this.#layout.bundle(id), { kind: "reopen-log" });
  }

  /** Resolves when the container has ended and all its output is out: at once when it has. */
  exited(id: string): Promise<ContainerExit> {
    return this.#get(id).exited;
  }

  /**
   * Ends the container if need be and removes its cgroups, its exit file and its bundle. Success when there is none.
   * The bundle's folder itself stays as long as something is mounted on `rootfs`.
   */
  async delete(id: string): Promise<void> {
    const container = this.#kept.get(id);
    await (container ? container.delete() : removeRemains(this.#place(id)));
    this.#kept.delete(id);
  }

  /**
   * Runs a further process in a running container. `exited` is its exit code when all its output is out; `kill` ends it
   * and what it has started.
   * @throws {StartError} when it cannot be started
   */
  async exec(id: string, options: ExecOptions): Promise<RunningExec & { kill(): void }> {
    this.anticipate();
    const { runtime, record } = this.#get(id);
    const { kernel } = this.#options;
    const running = await startExec(id, options, { layout: this.#layout, runtime, connector: kernel });
    const session = findSession(running.pid);
    const kill = (): void => {
      if (session !== undefined) killSession(session, this.#cgroups.processes(record.cgroupPath), kernel);
    };
    return { ...running, kill };
  }

  /** The processes of a container that runs, all that its cgroup holds. */
  processes(id: string): number[] {
    return this.#cgroups.processes(this.#get(id).record.cgroupPath);
  }

  /**
   * Changes the limits of a running container; those that are absent stay as they are.
   * @throws {EngineError} internal when the kernel refuses
   */
  async update(id: string, resources: LinuxResources): Promise<void> {
    const { runtime, record } = this.#get(id);
    const { pids, ...others } = resources;
    const isUnlimited = pids !== undefined && pids.limit < 0;
    const asked = isUnlimited ? others : resources;
    if (Object.keys(asked).length > 0) await runtime.update(id, asked);
    if (isUnlimited) this.#cgroups.liftPidsLimit(record.cgroupPath);
  }

  /** Sets the size of an exec's terminal; nothing when it has ended. */
  resizeExec(id: string, execId: string, size: TerminalSize): void {
    sendSize(this.#layout.exec(id, execId), size);
  }

  /**
   * Runs a container to its end, its streams ours: a build step. It dies with `signal`, and leaves nothing.
   * @throws {StartError} when it cannot be started
   * @throws {EngineError} cancelled
   */
  async runToEnd(options: StepOptions, signal: AbortSignal): Promise<{ exitCode: number }> {
    this.anticipate();
    return await runStep(options, this.#stepTools(), signal);
  }

  /**
   * Takes over what an earlier engine left: running containers go on, finished ones have their exit, steps and
   * half-made containers are removed. Once, before anything else.
   */
  async recover(): Promise<RecoveredContainer[]> {
    for (const id of readdirSync(this.#layout.steps)) await removeStep(id, this.#stepTools());
    const all: RecoveredContainer[] = [];
    for (const id of readdirSync(this.#layout.containers)) {
      const found = await recoverContainer(this.#place(id));
      if (found === undefined) continue;
      this.#kept.set(id, found.container);
      all.push(found.recovered);
      if (found.recovered.state === "running") this.#killLeftovers(id);
    }
    return all;
  }

  /** Removes what only containers need, if there is none. Containers that run are left as they are. */
  close(): void {
    this.#cgroups.removeParents();
    for (const runtime of this.#runtimes.values()) runtime[Symbol.dispose]();
    this.#runtimes.clear();
  }

  #killLeftovers(id: string): void {
    const holder = this.#options.kernel;
    killLeftovers(id, { layout: this.#layout, processes: this.processes(id), holder });
  }

  #get(id: string): KeptContainer {
    const container = this.#kept.get(id);
    if (container) return container;
    throw new EngineError(
      "not-found",
      `Cannot find the running parts of container ${id}: it was not created`,
    );
  }

  get #defaultRuntime(): string {
    return this.#options.defaultRuntime ?? "crun";
  }

  #place(id: string): ContainerPlace {
    const { kernel, log } = this.#options;
    return {
      id,
      layout: this.#layout,
      cgroups: this.#cgroups,
      filters: this.#filters,
      kernel,
      log,
      runtime: (name) => this.#runtime(name),
    };
  }

  #stepTools(): StepTools {
    return {
      layout: this.#layout,
      runtime: this.#runtime(this.#defaultRuntime),
      cgroups: this.#cgroups,
      filters: this.#filters,
    };
  }

  #runtime(name: string): OciRuntime {
    const known = this.#runtimes.get(name);
    if (known) return known;
    const path = this.#options.runtimes?.get(name) ?? (name === "crun" ? "crun" : undefined);
    if (path === undefined) {
      throw new EngineError("invalid", `unknown or invalid runtime name: ${name}`);
    }
    const runtime = new OciRuntime(findProgram(path), this.#layout.stateRoot(name));
    this.#runtimes.set(name, runtime);
    return runtime;
  }
}
