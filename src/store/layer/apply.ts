import { availableParallelism } from "node:os";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import { Semaphore } from "#base/semaphore.ts";
import { run } from "#linux/process.ts";
import { selfCommand } from "#linux/self.ts";
import { type DiffId, parseDiffId } from "#oci/digest.ts";
import type { Compression } from "#oci/media-types.ts";
import type { UnpackLimits } from "./unpack.ts";

export interface LayerToApply {
  /** The blob's file. */
  readonly blob: string;
  readonly compression: Compression;
  /** The empty directory to unpack into: a draft's path. */
  readonly target: string;
  /** Defaults are `DEFAULT_UNPACK_LIMITS`. */
  readonly limits?: Partial<UnpackLimits>;
}

export interface AppliedLayer {
  readonly diffId: DiffId;
  /** What it takes on disk, as `du` counts. */
  readonly sizeBytes: number;
}

/** As many layers at once as there are cores, whoever asks; the others wait their turn. */
const places = new Semaphore(availableParallelism());

/**
 * Unpacks a layer in a child process: hostile input is read there, and every core gets one. Layers of one image may be
 * unpacked in any order and at once. What needs the parent is noted beside `target` and settled when the draft is
 * committed. After a failure the draft is worthless: dispose it.
 *
 * @throws {EngineError} invalid for a broken or hostile archive; unavailable when the disk is full; cancelled
 */
export async function applyLayer(layer: LayerToApply, signal: AbortSignal): Promise<AppliedLayer> {
  using _place = await places.acquire();
  signal.throwIfAborted();
  const { stdout, stderr, exitCode } = await run(selfCommand("worker", "unpack", JSON.stringify(layer)), {
    signal,
  });
  const answer = new TextDecoder().decode(stdout).trim();
  if (answer === "") {
    throw new EngineError("internal", `Cannot unpack ${layer.blob}: the worker ended with ${exitCode}`, {
      cause: new Error(stderr.slice(-2000)),
    });
  }
  const fields = new Fields(parseJson(answer, "answer of the unpack worker"), "answer");
  if (fields.has("error")) throw decodeFailure(fields.object("error"));
  return {
    diffId: parseDiffId(fields.required("diffId", fields.string("diffId"))),
    sizeBytes: fields.required("sizeBytes", fields.integer("sizeBytes")),
  };
}

const KINDS: ReadonlyMap<string, ErrorKind> = new Map([
  ["invalid", "invalid"],
  ["unsupported", "unsupported"],
  ["unavailable", "unavailable"],
  ["cancelled", "cancelled"],
  ["corrupt", "corrupt"],
]);

function decodeFailure(fields: Fields): EngineError {
  const hint = fields.string("hint");
  return new EngineError(
    KINDS.get(fields.string("kind") ?? "") ?? "internal",
    fields.string("message") ?? "Cannot unpack the layer",
    hint === undefined ? {} : { hint },
  );
}
