import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { EngineError } from "#base/errors.ts";
import { FOLDER_MODE, type Layout } from "./storage/layout.ts";

/** An exclusive lock on a file, which is made if need be; `undefined` when another process holds it. */
export type LockFile = (path: string) => Disposable | undefined;

/**
 * Makes this process the only one that writes to the folder.
 *
 * @throws {EngineError} conflict
 */
export async function lockFolder({ root, lock: path }: Layout, lock: LockFile): Promise<Disposable> {
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
  const held = lock(path);
  if (held !== undefined) return held;
  throw new EngineError("conflict", `Cannot serve ${root}: another registry serves it already`, {
    hint: "stop that one, give this one a folder of its own with --root, or serve the folder with --read-only",
  });
}
