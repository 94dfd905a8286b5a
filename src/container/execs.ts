import { setTimeout as sleep } from "node:timers/promises";
import { EngineError, errorMessage } from "#base/errors.ts";
import { type ContainerId, newId } from "#base/ids.ts";
import { assembleEnv } from "#runtime/spec/env.ts";
import { processSpec } from "#runtime/spec/generate-spec.ts";
import { hostnameOf } from "./etc-files.ts";
import { containerEvent } from "./events.ts";
import { readHostNames, userIn } from "./facts.ts";
import { containerPaths } from "./folders.ts";
import type { RunningExec, TerminalSize } from "./neighbours.ts";
import type { ContainerRecord } from "./record.ts";
import { parseSecurityOptions } from "./security-options.ts";
import type { World } from "./world.ts";

/** What is asked for: a further process in a running container. */
export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly user: string | undefined;
  readonly workingDir: string | undefined;
  readonly tty: boolean;
  readonly isPrivileged: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly detachKeys: string | undefined;
  readonly consoleSize: TerminalSize | undefined;
}

export type ExecState =
  | { readonly status: "created" }
  | { readonly status: "starting" }
  | { readonly status: "running"; readonly pid: number }
  | { readonly status: "exited"; readonly exitCode: number };

export interface Exec {
  readonly id: string;
  readonly containerId: ContainerId;
  readonly request: ExecRequest;
  readonly state: ExecState;
}

/** Ended execs of one container that are still remembered; more are forgotten, oldest first. */
const MAX_ENDED = 256;
/** How long a resize waits for the start. */
const RESIZE_PATIENCE_MS = 10_000;
const RESIZE_PAUSE_MS = 20;

/** The execs of running containers. They live in memory only: one that an engine left behind goes on, unseen. */
export class Execs {
  readonly #world: World;
  readonly #execs = new Map<string, Exec>();

  constructor(world: World) {
    this.#world = world;
  }

  /** @throws {EngineError} conflict unless the container runs; invalid for the command or the user */
  create(reference: string, request: ExecRequest): Exec {
    this.#world.runtime.anticipate();
    const record = this.#world.registry.get(reference);
    if (request.command.length === 0) throw new EngineError("invalid", "No exec command specified");
    requireRunning(record);
    this.#process(record, request);
    const exec: Exec = { id: newId(), containerId: record.id, request, state: { status: "created" } };
    this.#execs.set(exec.id, exec);
    this.#forgetOld(record.id);
    this.#world.emit(
      containerEvent(record, `exec_create: ${request.command.join(" ")}`, { execID: exec.id }),
    );
    return exec;
  }

  /** By full id, or a prefix that only one has. @throws {EngineError} not-found */
  get(id: string): Exec {
    const exact = this.#execs.get(id);
    if (exact) return exact;
    const matches = id === "" ? [] : [...this.#execs.values()].filter((exec) => exec.id.startsWith(id));
    if (matches.length === 1 && matches[0]) return matches[0];
    throw new EngineError("not-found", `No such exec instance: ${id}`);
  }

  /** Ids of a container's execs that have not ended. */
  idsOf(containerId: ContainerId): string[] {
    return [...this.#execs.values()]
      .filter((exec) => exec.containerId === containerId && exec.state.status !== "exited")
      .map(({ id }) => id);
  }

  /** @throws {EngineError} conflict when it was started before, or the container does not run */
  check(id: string): Exec {
    const exec = this.get(id);
    if (exec.state.status === "exited") {
      throw new EngineError("conflict", `exec command ${exec.id} has already run`);
    }
    if (exec.state.status !== "created") {
      throw new EngineError("conflict", `Error: Exec command ${exec.id} is already running`);
    }
    requireRunning(this.#world.registry.get(exec.containerId));
    return exec;
  }

  /**
   * Starts it; the caller carries the bytes and disposes the attachment. A command that can not run leaves its exit
   * code, 126 or 127, as if it had ended with it.
   *
   * @throws {StartError} when the command can not run
   */
  async start(
    id: string,
    options: { detach: boolean; consoleSize?: TerminalSize; endsWithEngine?: boolean },
  ): Promise<RunningExec> {
    const exec = this.check(id);
    const { request, containerId } = exec;
    const record = this.#world.registry.get(containerId);
    this.#set(exec, { status: "starting" });
    try {
      const size = options.consoleSize ?? request.consoleSize;
      const running = await this.#world.runtime.exec(containerId, {
        execId: exec.id,
        process: this.#process(record, { ...request, consoleSize: size }),
        tty: request.tty,
        openStdin: request.attachStdin,
        detach: options.detach,
        ...(options.endsWithEngine && { endsWithEngine: true }),
      });
      this.#set(exec, { status: "running", pid: running.pid });
      this.#world.emit(
        containerEvent(record, `exec_start: ${request.command.join(" ")}`, { execID: exec.id }),
      );
      const ended = running.exited.then((exitCode) => this.#end(exec, exitCode));
      this.#world.background.watch("waiting for an exec", () => ended);
      return { ...running, exited: ended.then(() => running.exited) };
    } catch (error) {
      const exitCode =
        error instanceof Error && "exitCode" in error && typeof error.exitCode === "number"
          ? error.exitCode
          : 126;
      this.#end(exec, exitCode);
      throw error instanceof EngineError
        ? error
        : new EngineError("internal", `Cannot start exec ${exec.id}: ${errorMessage(error)}`, {
            cause: error,
          });
    }
  }

  /** An exec that nobody asks for any more. */
  forget(id: string): void {
    this.#execs.delete(id);
  }

  /** Waits a while for the start. @throws {EngineError} invalid when it is not started by then */
  async resize(id: string, size: TerminalSize, signal: AbortSignal): Promise<void> {
    const deadline = this.#world.clock() + RESIZE_PATIENCE_MS;
    for (;;) {
      const { state, containerId, id: execId } = this.get(id);
      if (state.status === "running") {
        this.#world.runtime.resizeExec(containerId, execId, size);
        return;
      }
      if (state.status === "exited" || this.#world.clock() > deadline) {
        throw new EngineError("invalid", "exec process is not started");
      }
      await sleep(RESIZE_PAUSE_MS, undefined, { signal });
    }
  }

  #process(record: ContainerRecord, request: ExecRequest): ReturnType<typeof processSpec> {
    const { config, hostConfig, id } = record;
    using root = this.#world.host.openRoot(containerPaths(this.#world.folders, id).rootfs);
    const user = userIn(root, request.user ?? config.user, hostConfig.groupAdd ?? []);
    const security = parseSecurityOptions(hostConfig.securityOpt ?? []);
    const env = [...(config.env ?? []), ...request.env];
    return processSpec(
      {
        args: request.command,
        env: assembleEnv({
          hostname: hostnameOf(record, readHostNames()),
          tty: request.tty,
          home: user.home,
          env,
        }),
        cwd: request.workingDir ?? config.workingDir ?? "/",
        user,
        tty: request.tty,
        ...(request.consoleSize && { consoleSize: request.consoleSize }),
        capabilities: { add: hostConfig.capAdd ?? [], drop: hostConfig.capDrop ?? [] },
        isPrivileged: request.isPrivileged || hostConfig.privileged,
        noNewPrivileges: security.noNewPrivileges,
        rlimits: hostConfig.ulimits.map(({ name = "", soft = 0, hard = 0 }) => ({
          type: `RLIMIT_${name.toUpperCase()}`,
          soft,
          hard,
        })),
        ...(hostConfig.oomScoreAdj !== undefined && { oomScoreAdj: hostConfig.oomScoreAdj }),
        ...(security.apparmor !== undefined && { apparmor: security.apparmor }),
      },
      this.#world.facts,
      () => undefined,
    );
  }

  #end(exec: Exec, exitCode: number): void {
    this.#set(exec, { status: "exited", exitCode });
    const record = this.#world.registry.byId(exec.containerId);
    if (record === undefined) return;
    this.#world.emit(containerEvent(record, "exec_die", { execID: exec.id, exitCode: String(exitCode) }));
  }

  #set({ id }: Exec, state: ExecState): void {
    const exec = this.#execs.get(id);
    if (exec) this.#execs.set(id, { ...exec, state });
  }

  /** Those of containers that are gone, and the oldest of too many that have ended. */
  #forgetOld(containerId: ContainerId): void {
    for (const exec of this.#execs.values()) {
      if (this.#world.registry.byId(exec.containerId) === undefined) this.#execs.delete(exec.id);
    }
    const over = [...this.#execs.values()].filter(
      (exec) => exec.containerId === containerId && exec.state.status === "exited",
    );
    for (const { id } of over.slice(0, Math.max(0, over.length - MAX_ENDED))) this.#execs.delete(id);
  }
}

function requireRunning({ id, state }: ContainerRecord): void {
  if (state.status === "running") return;
  if (state.status === "paused") {
    throw new EngineError("conflict", `Container ${id} is paused, unpause the container before exec`);
  }
  throw new EngineError("conflict", `container ${id} is not running`);
}
