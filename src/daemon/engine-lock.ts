import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";

/** The exit code of an engine that found another one at work: whoever started it can use that one. */
export const ALREADY_RUNNING = 17;

export interface LockFiles {
  /** An exclusive lock; `undefined` when another process holds it. */
  flock(path: string): Disposable | undefined;
}

/**
 * Makes this process the only engine on `root`. The lock ends with the process, however it ends; the text in the file
 * only says who holds it.
 *
 * @throws {EngineError} conflict, by the name of the holder
 */
export async function lockRoot(files: LockFiles, root: string, socket: string): Promise<Disposable> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const path = join(root, "lock");
  const lock = files.flock(path);
  if (lock === undefined) {
    const holder = (await readFile(path, "utf8").catch(() => "")).trim() || "another process";
    throw new EngineError("conflict", `Cannot start an engine on ${root}: ${holder} runs there already`, {
      hint: "stop that one first, or give this one a root of its own: darse daemon --root DIR --run DIR",
    });
  }
  await writeFile(path, `engine with pid ${process.pid} at ${socket}\n`);
  return lock;
}
