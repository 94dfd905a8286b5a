import { Fields, parseJson } from "#base/decode.ts";
import { type DiffId, parseDiffId } from "#oci/digest.ts";
import type { Change } from "../layer/changes.ts";
import type { WrittenLayer } from "../layer/diff.ts";
import { ArchiveChild } from "./archive-child.ts";
import { type ArchiveRequest, decodeStat, type PathStat, type View } from "./archive-request.ts";

const PIECE_BYTES = 1024 * 1024;

/** Where an archive is extracted, and how. */
export type ExtractTarget = Omit<ArchiveRequest & { readonly kind: "extract" }, "kind">;

/** A path of a container as a tar. Reading `content` to its end or leaving it early ends the work on it. */
export interface PackedPath {
  readonly stat: PathStat;
  readonly content: AsyncIterable<Uint8Array>;
}

/** A layer's tar as it is written; `written` resolves when all of it was read. */
export interface LayerStream {
  readonly content: AsyncIterable<Uint8Array>;
  readonly written: Promise<WrittenLayer>;
}

/**
 * Gets files in and out of containers, each piece of work in a child with mounts of its own. Nothing of a container is
 * executed, loaded or asked for names; paths are resolved inside its root. All throw `EngineError`: not-found for a path
 * that is not there, invalid in Docker's words.
 */
export class FileArchiver {
  async stat(view: View, path: string, signal: AbortSignal): Promise<PathStat> {
    await using child = new ArchiveChild({ kind: "stat", view, path }, signal);
    return decodeStat(await child.told("stat"));
  }

  async pack(view: View, path: string, signal: AbortSignal): Promise<PackedPath> {
    await using stack = new AsyncDisposableStack();
    const child = stack.use(new ArchiveChild({ kind: "pack", view, path }, signal));
    const stat = decodeStat(await child.told("stat"));
    return { stat, content: outputOf(child, stack.move()) };
  }

  /** Extracts the plain tar `source` into the directory at `path`. */
  async extract(
    target: ExtractTarget,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    await using child = new ArchiveChild({ kind: "extract", ...target }, signal);
    const answer = child.told("done");
    // Told before all is read when it fails; awaited below.
    answer.catch(() => undefined);
    await Promise.race([child.feed(source), answer]);
    await answer;
  }

  /** All files of the root mounted at `root`. */
  export(root: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
    const stack = new AsyncDisposableStack();
    const child = stack.use(new ArchiveChild({ kind: "export", root }, signal));
    return outputOf(child, stack);
  }

  /** What a container's layer has changed; `below` is where the layers below it are mounted. */
  async changes(upper: string, below: string | undefined, signal: AbortSignal): Promise<Change[]> {
    const request = { kind: "changes", upper, ...(below !== undefined && { below }) } as const;
    await using child = new ArchiveChild(request, signal);
    const chunks: Uint8Array[] = [];
    for await (const chunk of child.output()) chunks.push(chunk);
    await child.told("done");
    const text = new TextDecoder().decode(Buffer.concat(chunks));
    return new Fields({ changes: parseJson(text, "changes") }).list("changes", decodeChange) ?? [];
  }

  /** A container's layer as OCI has it. */
  layer(upper: string, signal: AbortSignal): LayerStream {
    const child = new ArchiveChild({ kind: "layer", upper }, signal);
    const { promise, resolve, reject } = Promise.withResolvers<WrittenLayer>();
    promise.catch(() => undefined);
    const content = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      await using _child = child;
      try {
        yield* inPieces(child.output());
        resolve(decodeWritten(await child.told("done")));
      } catch (error) {
        reject(error);
        throw error;
      }
    };
    return { content: content(), written: promise };
  }
}

async function* outputOf(
  child: ArchiveChild,
  stack: AsyncDisposableStack,
): AsyncGenerator<Uint8Array, void, undefined> {
  await using _stack = stack;
  yield* child.output();
  await child.told("done");
}

/** Large pieces: the store waits for the disk after each. */
async function* inPieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let piece = Buffer.allocUnsafe(PIECE_BYTES);
  let length = 0;
  for await (const part of source) {
    for (let rest = part; rest.length > 0; ) {
      const taken = rest.subarray(0, PIECE_BYTES - length);
      piece.set(taken, length);
      length += taken.length;
      rest = rest.subarray(taken.length);
      if (length < PIECE_BYTES) continue;
      yield piece;
      piece = Buffer.allocUnsafe(PIECE_BYTES);
      length = 0;
    }
  }
  if (length > 0) yield piece.subarray(0, length);
}

function decodeChange(value: unknown, at: string): Change {
  const fields = new Fields(value, at);
  const kind = (["A", "C", "D"] as const).find((one) => one === fields.string("kind"));
  return {
    kind: fields.required("kind", kind),
    path: fields.required("path", fields.string("path")),
  };
}

function decodeWritten(fields: Fields): WrittenLayer {
  const diffId: DiffId = parseDiffId(fields.required("diffId", fields.string("diffId")));
  return {
    diffId,
    sizeBytes: fields.required("sizeBytes", fields.integer("sizeBytes")),
    entries: fields.required("entries", fields.integer("entries")),
  };
}
