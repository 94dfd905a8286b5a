import { closeSync, constants, existsSync, openSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { run } from "#linux/process.ts";
import { SealedProgram } from "#linux/sealed-program.ts";
import type { LinuxResources } from "#oci/runtime-spec.ts";

/** The longest that one call of the runtime may take before it is given up. */
const DEADLINE_MS = 30_000;

/** An OCI runtime's command line, and the short cuts that crun's state allows. */
export class OciRuntime implements Disposable {
  readonly #program: string;
  readonly #sealed: SealedProgram | undefined;
  /** Where it keeps its state. */
  readonly root: string;
  /** Whether the layout of its state is the one we know; any other runtime is asked by its command line. */
  readonly #isCrun: boolean;

  constructor(path: string, root: string) {
    this.#program = path;
    this.root = root;
    this.#isCrun = basename(path) === "crun";
    this.#sealed = this.#isCrun ? new SealedProgram(path) : undefined;
  }

  /** What is run: of crun a copy in memory, from which it need not start twice. */
  get path(): string {
    return this.#sealed?.path ?? this.#program;
  }

  /** Whether it takes a compiled seccomp filter, and leaves its own where we find it. */
  get takesFilters(): boolean {
    return this.#isCrun;
  }

  [Symbol.dispose](): void {
    this.#sealed?.[Symbol.dispose]();
  }

  /**
   * Lets a created container's process go. crun's own way, without a process: the init waits for a byte from the FIFO
   * `exec.fifo`; whoever sends it removes the FIFO first, and by that the container is "running" and not "created".
   * (crun src/libcrun/status.c.) Where that does not work out, `crun start` says why.
   */
  async start(id: string): Promise<void> {
    if (this.#isCrun && startByFifo(join(this.root, id, "exec.fifo"))) return;
    await this.#call(["start", id], id);
  }

  /** True while the container waits for `start`; only crun's state tells without a process. */
  isCreated(id: string): boolean {
    return this.#isCrun && existsSync(join(this.root, id, "exec.fifo"));
  }

  async killAll(id: string, signal: number): Promise<void> {
    await this.#call(["kill", "--all", id, String(signal)], id);
  }

  async pause(id: string): Promise<void> {
    await this.#call(["pause", id], id);
  }

  async resume(id: string): Promise<void> {
    await this.#call(["resume", id], id);
  }

  async update(id: string, resources: LinuxResources): Promise<void> {
    const { exitCode, stderr } = await this.#run(
      ["update", "--resources=/dev/stdin", id],
      JSON.stringify(resources),
    );
    if (exitCode === 0) return;
    throw new EngineError("internal", `Cannot update container ${id}: ${reason(stderr)}`);
  }

  /** Kills what is left and removes the runtime's state and the cgroups. Success when there is nothing. */
  async deleteForce(id: string): Promise<void> {
    if (!existsSync(join(this.root, id))) return;
    const { exitCode, stderr } = await this.#run(["delete", "--force", id]);
    if (exitCode !== 0 && existsSync(join(this.root, id))) {
      throw new EngineError("internal", `Cannot delete container ${id}: ${reason(stderr)}`);
    }
  }

  /** Removes the state of a container whose processes and cgroups are gone. False when only `deleteForce` can. */
  forget(id: string): boolean {
    if (!this.#isCrun) return false;
    rmSync(join(this.root, id), { recursive: true, force: true });
    return true;
  }

  async #call(args: string[], id: string): Promise<void> {
    const { exitCode, stderr } = await this.#run(args);
    if (exitCode === 0) return;
    throw new EngineError("conflict", `Cannot ${args[0]} container ${id}: ${reason(stderr)}`);
  }

  #run(args: string[], input?: string): Promise<{ exitCode: number; stderr: string }> {
    const command = [this.path, `--root=${this.root}`, ...args];
    return run(command, { signal: AbortSignal.timeout(DEADLINE_MS), ...(input !== undefined && { input }) });
  }
}

function startByFifo(path: string): boolean {
  try {
    // ENXIO: nobody waits at the other end, the init has died.
    const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      unlinkSync(path);
      return writeSync(fd, new Uint8Array(1)) === 1;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENXIO", "EPIPE")) return false;
    throw error;
  }
}

function reason(stderr: string): string {
  return stderr.trim().split("\n").at(-1) || "the runtime gave no reason";
}
