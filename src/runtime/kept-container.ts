import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import type { Pidfd } from "#linux/kernel.ts";
import type { BundleRecord } from "./bundle-record.ts";
import { ConmonStreams } from "./conmon-streams.ts";
import { type ContainerExit, findExitFile } from "./container-exit.ts";
import type { ContainerPlace } from "./container-place.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import { removeRemains } from "./remove-bundle.ts";

/** How long a killed container may take to end. */
const END_DEADLINE_MS = 10_000;

/** 128 + SIGKILL: what is said of a container whose exit code nobody saw. */
const UNSEEN_EXIT_CODE = 137;

/** A container that is kept: its record, its init by pidfd, and its end as a promise. */
export class KeptContainer {
  readonly record: BundleRecord;
  /** When the container has ended and all its output is out. */
  readonly exited: Promise<ContainerExit>;
  readonly runtime: OciRuntime;
  readonly streams: ConmonStreams;
  readonly #place: ContainerPlace;
  readonly #init: Pidfd | undefined;
  #hasExited = false;

  /** `keeperEnded` resolves when its conmon has ended; `init` is undefined when the container has ended already. */
  constructor(
    place: ContainerPlace,
    record: BundleRecord,
    { keeperEnded, init }: { keeperEnded: Promise<unknown>; init: Pidfd | undefined },
  ) {
    this.record = record;
    this.runtime = place.runtime(record.runtime);
    this.streams = new ConmonStreams(place.kernel, join(place.layout.bundle(place.id), "attach"), {
      endsStdin: record.openStdin && record.stdinOnce && !record.tty,
    });
    this.#place = place;
    this.#init = init;
    this.exited = this.#end(keeperEnded);
  }

  get pid(): number {
    return this.record.init?.pid ?? 0;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  async start(): Promise<void> {
    await this.runtime.start(this.#place.id);
  }

  async kill(signal: number, all: boolean): Promise<"sent" | "gone"> {
    if (this.#hasExited || !this.#init) return "gone";
    if (!all) return this.#init.kill(signal) ? "sent" : "gone";
    await this.runtime.killAll(this.#place.id, signal);
    return "sent";
  }

  async pause(): Promise<void> {
    await this.runtime.pause(this.#place.id);
  }

  async resume(): Promise<void> {
    await this.runtime.resume(this.#place.id);
  }

  /** Ends it if need be and removes all there is of it. */
  async delete(): Promise<void> {
    if (!this.#hasExited) {
      await this.runtime.deleteForce(this.#place.id);
      if (
        (await Promise.race([this.exited, sleep(END_DEADLINE_MS, undefined, { ref: false })])) === undefined
      ) {
        throw new EngineError(
          "internal",
          `Cannot delete container ${this.#place.id}: its process ${this.pid} was killed but did not end within ${END_DEADLINE_MS / 1000} s`,
        );
      }
    }
    await removeRemains(this.#place, this.record);
  }

  async #end(keeperEnded: Promise<unknown>): Promise<ContainerExit> {
    const { id, layout } = this.#place;
    await keeperEnded;
    if (findExitFile(layout.exit(id)) === undefined && this.#init) {
      this.#place.log.warn("conmon has ended before its container; its exit code and output are lost", {
        container: id,
        conmon: this.record.conmonPid,
      });
      await this.#init.exited();
      // For the engine after this one.
      writeFileSync(layout.exit(id), String(UNSEEN_EXIT_CODE), { mode: 0o600 });
    }
    this.#init?.[Symbol.dispose]();
    this.#hasExited = true;
    const { exitCode, finishedAt } = findExitFile(layout.exit(id)) ?? {
      exitCode: UNSEEN_EXIT_CODE,
      finishedAt: Date.now(),
    };
    return { exitCode, finishedAt, oomKilled: this.#hadOomKill() };
  }

  #hadOomKill(): boolean {
    const { id, layout, cgroups } = this.#place;
    return existsSync(join(layout.bundle(id), "oom")) || cgroups.hadOomKill(this.record.cgroupPath);
  }
}
