import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";

/** One side of a copy as the command line names it. */
export interface CopyArgument {
  /** Absent: a path on this machine. */
  readonly container?: string;
  readonly path: string;
}

/**
 * Splits at the first colon, as scp does: a local path with a colon in it is written with `/` or `./` in front.
 * Behaviour of docker/cli, cli/command/container/cp.go.
 */
export function parseCopyArgument(text: string): CopyArgument {
  const colon = text.indexOf(":");
  if (text.startsWith("/") || text.startsWith(".") || colon < 0) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** What is known of one end of a copy. */
export interface CopyEnd {
  /** A last `/` or `/.` means something. */
  readonly path: string;
  readonly kind: "absent" | "directory" | "other";
}

/** Where an archive is extracted, and what its topmost entry is called there. */
export interface CopyPlan {
  readonly directory: string;
  readonly name: string;
}

/**
 * Where a copy goes: into a directory that exists, under its own name; else it takes the destination's name. A source
 * that ends in `/.` is what the directory holds, not the directory. Rules of moby/go-archive, copy.go.
 *
 * @param name of the source's topmost entry, `.` for what a directory holds
 * @throws {EngineError} invalid, in Docker's words
 */
export function planCopy(
  source: { readonly name: string; readonly isDirectory: boolean },
  destination: CopyEnd,
): CopyPlan {
  const { path, kind } = destination;
  if (kind === "directory") return { directory: path, name: source.name };
  if (kind === "other" && source.isDirectory) throw new EngineError("invalid", "cannot copy directory");
  if (kind === "absent" && !source.isDirectory && assertsDirectory(path)) {
    throw new EngineError("invalid", "no such directory");
  }
  const { parent, base } = splitEntry(path);
  return { directory: parent, name: base };
}

/** A path's directory and last name; the name is `.` when the path ends in it. */
export function splitEntry(path: string): { readonly parent: string; readonly base: string } {
  const clean = posix.normalize(path).replace(/(.)\/$/, "$1");
  if (endsInDot(path)) return { parent: clean, base: "." };
  return { parent: posix.dirname(clean), base: posix.basename(clean) || "/" };
}

export function assertsDirectory(path: string): boolean {
  return path.endsWith("/") || endsInDot(path);
}

/** The entry's name when the archive's topmost one, called `from`, is to be called `to`. */
export function renameEntry(path: string, from: string, to: string): string {
  // A root's entries begin with a slash, its own name being empty.
  const top = from === "/" ? "" : from;
  if (path === top || path.startsWith(`${top}/`)) return `${to}${path.slice(top.length)}`;
  return path;
}

function endsInDot(path: string): boolean {
  return path === "." || path.endsWith("/.");
}
