import { EngineError, errorMessage } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { bodyChunks } from "./bounded-body.ts";
import { describeFailure } from "./failure.ts";
import type { RegistryHost } from "./registry-host.ts";

export interface WantedBlob {
  readonly repository: string;
  readonly blob: Pick<Descriptor, "digest" | "size">;
  readonly offset: number;
}

/**
 * Asks for a blob from `offset` on; the host has answered when this resolves, its bytes come as they are read, never
 * more than the descriptor says.
 *
 * @throws {EngineError} as the host refuses; while reading, unavailable when the bytes end too early
 */
export async function fetchBlob(
  host: RegistryHost,
  { repository, blob, offset }: WantedBlob,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const attempt = `Cannot read the blob ${blob.digest}`;
  const headers: Record<string, string> = offset > 0 ? { Range: `bytes=${offset}-` } : {};
  const path = `${repository}/blobs/${blob.digest}`;
  const response = await host.request({ path, headers, scopes: [`repository:${repository}:pull`] }, signal);
  if (!response.ok) throw await describeFailure(response, attempt);
  const start = startOf(response, offset, attempt);
  return checked(response, { ...blob, start, offset, host: host.name }, signal);
}

async function* checked(
  response: Response,
  blob: WantedBlob["blob"] & { readonly start: number; readonly offset: number; readonly host: string },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { digest, size, offset, host } = blob;
  let position = blob.start;
  try {
    for await (const chunk of bodyChunks(response)) {
      const from = Math.max(0, offset - position);
      position += chunk.byteLength;
      if (position > size)
        throw new EngineError(
          "corrupt",
          `Cannot read the blob ${digest}: more than its ${size} bytes were sent`,
        );
      if (from < chunk.byteLength) yield chunk.subarray(from);
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw new EngineError("unavailable", `${host}: ${errorMessage(error)}`, { cause: error });
  }
  if (position < size)
    throw new EngineError("unavailable", `${host} sent ${position} of ${size} bytes of ${digest}`);
}

/** Where the body begins: a registry may ignore the range and send all, but may not send another range. */
function startOf(response: Response, offset: number, attempt: string): number {
  if (response.status !== 206) return 0;
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (Number(start) === offset) return offset;
  throw new EngineError("corrupt", `${attempt}: asked from byte ${offset}, got "${start ?? "no range"}"`);
}
