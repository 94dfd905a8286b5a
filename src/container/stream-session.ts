import { DetachFilter } from "./detach-keys.ts";
import type { Attachment } from "./neighbours.ts";

export interface OutputChunk {
  readonly stream: "stdout" | "stderr";
  readonly data: Uint8Array;
}

/** Both directions of a client's connection, as far as a session uses them. */
export interface ClientStreams {
  /** Ends at the client's half-close. */
  readonly input: AsyncIterable<Uint8Array>;
  write(chunk: OutputChunk): Promise<void>;
}

export interface SessionOptions {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Keys that end the session and leave the process running; absent without a terminal. */
  readonly detachKeys: Uint8Array | undefined;
  /** The client's end of input is the process's. */
  readonly closesStdin: boolean;
}

export type SessionEnd = "output-ended" | "detached" | "client-gone";

/**
 * Carries bytes between a client and a process until the output ends, the client detaches by keys, or it goes away.
 * Nothing is dropped and nothing is queued: a slow client makes the process wait.
 */
export async function runSession(
  attachment: Attachment,
  client: ClientStreams,
  options: SessionOptions & { readonly signal: AbortSignal },
): Promise<SessionEnd> {
  const { signal } = options;
  const detached = Promise.withResolvers<SessionEnd>();
  const leave = (): void => detached.resolve("client-gone");
  signal.addEventListener("abort", leave, { once: true });
  const input = forwardInput(attachment, client, options).then((isDetached) => {
    if (isDetached) detached.resolve("detached");
  });
  // A client that is gone is noticed by the output; what it did send was handed on.
  input.catch(leave);
  try {
    return await Promise.race([forwardOutput(attachment, client, options), detached.promise]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}

async function forwardOutput(
  attachment: Attachment,
  client: ClientStreams,
  { stdout, stderr }: SessionOptions,
): Promise<SessionEnd> {
  for await (const chunk of attachment.output) {
    if (chunk.stream === "stdout" ? !stdout : !stderr) continue;
    try {
      await client.write(chunk);
    } catch {
      return "client-gone";
    }
  }
  return "output-ended";
}

/** True when the client typed the detach keys. Input that is not asked for is read and dropped. */
async function forwardInput(
  attachment: Attachment,
  client: ClientStreams,
  { stdin, detachKeys, closesStdin }: SessionOptions,
): Promise<boolean> {
  const filter = detachKeys && new DetachFilter(detachKeys);
  for await (const chunk of client.input) {
    if (!stdin) continue;
    const { data, isDetached } = filter?.push(chunk) ?? { data: chunk, isDetached: false };
    if (data.byteLength > 0) await attachment.write(data);
    if (isDetached) return true;
  }
  const rest = filter?.end();
  if (stdin && rest !== undefined && rest.byteLength > 0) await attachment.write(rest);
  if (stdin && closesStdin) attachment.closeStdin();
  return false;
}
