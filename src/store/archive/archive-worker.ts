import { EngineError, errorMessage, isErrno } from "#base/errors.ts";
import { readFd, writeFd } from "#linux/file-descriptor.ts";
import type { RootDirectory } from "#linux/root-directory.ts";
import { changes } from "../layer/changes.ts";
import { writeLayer } from "../layer/diff.ts";
import { isFurniture } from "../layer/furniture.ts";
import { type ArchiveRequest, decodeRequest, encodeStat, type View } from "./archive-request.ts";
import { openContainerView } from "./container-view.ts";
import { extractTar, isReadOnly } from "./extract.ts";
import { packPath, packRoot } from "./pack.ts";
import { parsePath, resolvePath, statPath } from "./path-in-root.ts";

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const READ_BYTES = 1024 * 1024;

/** One piece of work on a container's files, in a process of its own; see `archive-request.ts`. Resolves to the exit code. */
export async function runArchiveWorker(args: readonly string[]): Promise<number> {
  process.umask(0);
  try {
    tell({ done: await answer(decodeRequest(args[0] ?? "")) });
    return 0;
  } catch (error) {
    // Nobody listens any more.
    if (isErrno(error, "EPIPE")) return 1;
    tell({ error: describe(error) });
    return 1;
  }
}

async function answer(request: ArchiveRequest): Promise<unknown> {
  switch (request.kind) {
    case "stat": {
      using root = openContainerView(request.view, "read");
      tell({ stat: encodeStat(statPath(root, parsePath(request.path))) });
      return {};
    }
    case "pack": {
      using root = openContainerView(request.view, "read");
      const asked = parsePath(request.path);
      tell({ stat: encodeStat(statPath(root, asked)) });
      packPath(root, asked, STDOUT);
      return {};
    }
    case "extract": {
      using root = openContainerView(request.view, "write");
      extract(root, request);
      return {};
    }
    case "export": {
      using root = openContainerView({ root: request.root, isRootReadOnly: false, mounts: [] }, "read");
      packRoot(root, STDOUT);
      return {};
    }
    case "changes":
      writeFd(STDOUT, Buffer.from(JSON.stringify(changes(request.upper, request.below, isFurniture))));
      return {};
    case "layer": {
      const sink = { write: (chunk: Uint8Array): void => writeFd(STDOUT, chunk) };
      const options = { upper: request.upper, sink, leavesOut: isFurniture };
      return await writeLayer(options, new AbortController().signal);
    }
  }
}

function extract(root: RootDirectory, request: ArchiveRequest & { kind: "extract" }): void {
  const { path, view, owner, refusesTypeChange, describesTop = false } = request;
  const directory = resolvePath(root, parsePath(path).path, true);
  if (root.stat(directory || ".").type !== "directory") {
    throw new EngineError("invalid", "extraction point is not a directory");
  }
  if (isReadOnly(root, directory)) throw refusal(view, directory);
  extractTar(root, standardInput(), { directory, owner, refusesTypeChange, describesTop });
}

/** Through one buffer: each chunk is used up before the next is asked for. */
function* standardInput(): Generator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(READ_BYTES);
  for (let length = readFd(STDIN, buffer); length > 0; length = readFd(STDIN, buffer)) {
    yield buffer.subarray(0, length);
  }
}

/** Docker's texts (daemon/archive_unix.go, daemon/volumes_unix.go). */
function refusal({ mounts }: View, directory: string): EngineError {
  const isInVolume = mounts.some(({ destination }) => `/${directory}/`.startsWith(`${destination}/`));
  const text = isInVolume ? "mounted volume is marked read-only" : "container rootfs is marked read-only";
  return new EngineError("invalid", text);
}

function tell(line: unknown): void {
  writeFd(STDERR, Buffer.from(`${JSON.stringify(line)}\n`));
}

function describe(error: unknown): { kind: string; message: string; hint?: string } {
  const message = errorMessage(error);
  if (EngineError.is(error)) {
    return { kind: error.kind, message, ...(error.hint !== undefined && { hint: error.hint }) };
  }
  if (isErrno(error, "ENOENT")) return { kind: "not-found", message };
  return { kind: isErrno(error, "ENOTDIR", "ELOOP") ? "invalid" : "internal", message };
}
