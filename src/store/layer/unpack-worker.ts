import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { openRoot } from "#linux/in-root.ts";
import type { Compression } from "#oci/media-types.ts";
import { writePending } from "./pending.ts";
import { DEFAULT_UNPACK_LIMITS, unpack, type UnpackLimits } from "./unpack.ts";

/*
 * A child of the engine: `worker unpack <request>`, the request and the answer being one line of JSON each.
 *
 *   {"blob":"/…","compression":"gzip","target":"/…/diff","limits":{…}}
 *   {"diffId":"sha256:…","sizeBytes":123}    or    {"error":{"kind":"invalid","message":"…"}}
 */

const COMPRESSIONS: ReadonlyMap<string, Compression> = new Map([
  ["none", "none"],
  ["gzip", "gzip"],
  ["zstd", "zstd"],
]);

/** Unpacks one layer and prints the answer; resolves to the exit code. */
export async function runUnpackWorker(args: readonly string[]): Promise<number> {
  const answer = await answerTo(args[0] ?? "").then(
    (result) => ({ exitCode: 0, result }),
    (error: unknown) => ({ exitCode: 1, result: { error: describe(error) } }),
  );
  process.stdout.write(`${JSON.stringify(answer.result)}\n`);
  return answer.exitCode;
}

async function answerTo(request: string): Promise<{ diffId: string; sizeBytes: number }> {
  const fields = new Fields(parseJson(request, "unpack request"), "request");
  const compression = COMPRESSIONS.get(fields.string("compression") ?? "");
  const target = fields.required("target", fields.string("target"));
  process.umask(0);
  using root = openRoot(target);
  const engine = process.ppid;
  const layer = {
    blob: fields.required("blob", fields.string("blob")),
    compression: fields.required("compression", compression),
  };
  // A parent that died has left us to another process; its successor unpacks anew.
  const isWanted = (): boolean => process.ppid === engine;
  const { pending, ...result } = await unpack(root, layer, {
    limits: limitsOf(fields.object("limits")),
    isWanted,
  });
  writePending(target, pending);
  return result;
}

function limitsOf(fields: Fields): UnpackLimits {
  const given = (key: keyof UnpackLimits): number => fields.integer(key) ?? DEFAULT_UNPACK_LIMITS[key];
  return {
    maxEntries: given("maxEntries"),
    maxPathBytes: given("maxPathBytes"),
    maxDepth: given("maxDepth"),
    maxPaxBytes: given("maxPaxBytes"),
    maxRatio: given("maxRatio"),
    ratioFromBytes: given("ratioFromBytes"),
  };
}

function describe(error: unknown): { kind: string; message: string; hint?: string } {
  if (!EngineError.is(error)) return { kind: "internal", message: errorMessage(error) };
  return { kind: error.kind, message: error.message, ...(error.hint !== undefined && { hint: error.hint }) };
}
