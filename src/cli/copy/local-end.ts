import { lstatSync, realpathSync, statSync } from "node:fs";
import { posix } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import { assertsDirectory, type CopyEnd, splitEntry } from "./copy-plan.ts";

/** Makes a path of the command line absolute; a last `/` or `/.` stays. */
export function absolutePath(path: string): string {
  const absolute = posix.resolve(path);
  if (path === "." || path.endsWith("/.")) return `${absolute}/.`;
  return path.endsWith("/") && absolute !== "/" ? `${absolute}/` : absolute;
}

export interface LocalSource {
  readonly path: string;
  /** Of the archive's topmost entry. */
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * The file that a source means, with `followsLink` the one that a link leads to, under the name it was called by.
 *
 * @throws {EngineError} not-found
 */
export function localSource(path: string, followsLink: boolean): LocalSource {
  try {
    const { parent, base } = splitEntry(path);
    if (base === ".")
      return { path: `${realpathSync(parent)}/.`, name: ".", isDirectory: isDirectory(parent) };
    const isFollowed = followsLink || assertsDirectory(path);
    const real = isFollowed ? realpathSync(path) : posix.join(realpathSync(parent), base);
    return { path: real, name: base, isDirectory: lstatSync(real).isDirectory() };
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError("not-found", `lstat ${path}: no such file or directory`, { cause: error });
  }
}

function isDirectory(path: string): boolean {
  return statSync(path).isDirectory();
}

/** What is at a destination, links followed. @throws {EngineError} invalid, in Docker's words */
export function localDestination(path: string): CopyEnd {
  const { parent } = splitEntry(path);
  const above = statSync(parent, { throwIfNoEntry: false });
  if (above === undefined) {
    throw new EngineError("invalid", `invalid output path: directory "${parent}" does not exist`);
  }
  if (!above.isDirectory()) throw new EngineError("invalid", "not a directory");
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { path, kind: "absent" };
  if (found.isCharacterDevice() || found.isBlockDevice()) {
    throw new EngineError("invalid", `invalid output path: "${path}" must be a directory or a regular file`);
  }
  return { path: realpathSync(path), kind: found.isDirectory() ? "directory" : "other" };
}
