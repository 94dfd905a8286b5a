import { join } from "node:path";

/**
 * What the runtime keeps on disk; all of it dies with the machine.
 *
 *     <run>/
 *       containers/<id>/          the bundle
 *         config.json             the OCI specification
 *         process.json            who keeps it: pids, terminal, cgroup (`bundle-record.ts`)
 *         rootfs/                 where the caller mounts the root file system
 *         pid  attach  ctl  winsz written by conmon: init's pid, attach socket, control FIFOs
 *         oom                     written by conmon when the kernel killed for memory
 *         exec/<execId>/          process.json of the exec (the OCI process), pid, attach, ctl, winsz, exit,
 *                                ends-with-engine when the next engine kills it
 *       steps/<id>/               the bundle of a build step, config.json, pid, log
 *       exits/<id>                exit code, written by conmon when all output is out
 *       crun/                     the OCI runtime's own state; one folder for each `--runtime`
 */
export class RunLayout {
  readonly #run: string;

  constructor(runDirectory: string) {
    this.#run = runDirectory;
  }

  /** Short, because conmon puts the socket for a terminal there and a socket's path has 107 bytes. */
  get temporary(): string {
    return this.#run;
  }

  get containers(): string {
    return join(this.#run, "containers");
  }

  get steps(): string {
    return join(this.#run, "steps");
  }

  get exits(): string {
    return join(this.#run, "exits");
  }

  /** Where the OCI runtime called `name` keeps its state. */
  stateRoot(name: string): string {
    return join(this.#run, name);
  }

  bundle(id: string): string {
    return join(this.containers, id);
  }

  step(id: string): string {
    return join(this.steps, id);
  }

  execs(id: string): string {
    return join(this.bundle(id), "exec");
  }

  exec(id: string, execId: string): string {
    return join(this.execs(id), execId);
  }

  exit(id: string): string {
    return join(this.exits, id);
  }
}
