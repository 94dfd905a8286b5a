import { readFileSync, statSync } from "node:fs";
import { isErrno } from "#base/errors.ts";

/** How a container ended. */
export interface ContainerExit {
  /** 128 + n when signal n ended it. */
  readonly exitCode: number;
  /** Whether the kernel killed one of its processes for want of memory. */
  readonly oomKilled: boolean;
  /** Epoch milliseconds. */
  readonly finishedAt: number;
}

/** What conmon wrote when all was over: the code, and when. `undefined` while there is no such file. */
export function findExitFile(path: string): Pick<ContainerExit, "exitCode" | "finishedAt"> | undefined {
  try {
    const exitCode = Number.parseInt(readFileSync(path, "utf8"), 10);
    if (Number.isNaN(exitCode)) return undefined;
    // −1 is conmon's "not known": the init was reaped by somebody else.
    return { exitCode: exitCode < 0 ? 137 : exitCode, finishedAt: Math.round(statSync(path).mtimeMs) };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}
