import { watch } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";

/**
 * Calls `onName` soon after a name in the directory `path` appeared, changed or went, perhaps more than once; look
 * what is there now. Names that were there before are not told: list the directory after this returns.
 *
 * It is inotify, by Bun; `watch-directory.test.ts` proves that no name is lost when 500 appear at once. The kernel's
 * queue holds 16,384 events, and more while the thread is busy are lost: whoever must not miss one lists now and then.
 *
 * @throws {EngineError} unavailable when the host allows no more watches.
 */
export function watchDirectory(path: string, onName: (name: string) => void): Disposable {
  const watcher = openWatcher(path, onName);
  return { [Symbol.dispose]: () => watcher.close() };
}

function openWatcher(path: string, onName: (name: string) => void) {
  try {
    return watch(path, { persistent: false }, (_event, name) => {
      if (name !== null) onName(name);
    });
  } catch (error) {
    if (!isErrno(error, "EMFILE", "ENOSPC")) throw error;
    throw new EngineError("unavailable", `Cannot watch ${path}: this user has no inotify watches left`, {
      cause: error,
      hint: "sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288",
    });
  }
}
