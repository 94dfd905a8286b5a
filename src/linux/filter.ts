import { EngineError } from "#base/errors.ts";
import { spawn } from "./process.ts";

const SIGKILL = 9;
const MAX_ERROR_BYTES = 4096;

/** Nothing of the engine's own reaches a program that reads foreign bytes, such as `XZ_OPT`. */
const ENV = { LC_ALL: "C", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/**
 * What a program of this host writes when it is given `source`. The program ends with the reader: who leaves early kills
 * it and closes `source`.
 *
 * @throws {EngineError} unavailable when the program is not installed; corrupt, with its words, when it fails
 */
export async function* filtered(
  source: AsyncIterable<Uint8Array>,
  command: readonly string[],
): AsyncGenerator<Uint8Array> {
  const child = spawn(command, { stdin: "pipe", stdout: "pipe", stderr: "pipe", env: ENV });
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error("a pipe was asked for and not made");
  const left = new AbortController();
  const feeding = feed(source, stdin, left.signal);
  // what went wrong at the source is thrown below
  feeding.catch(() => child.kill(SIGKILL));
  const words = firstWords(stderr);
  try {
    yield* stdout;
    await feeding;
    const exitCode = await child.exited;
    if (exitCode === 0) return;
    const why = (await words).trim() || `it ended with ${exitCode}`;
    throw new EngineError("corrupt", `${command[0]}: ${why}`);
  } finally {
    left.abort();
    child.kill(SIGKILL);
    await child.exited;
    await feeding.catch(() => undefined);
  }
}

async function feed(
  source: AsyncIterable<Uint8Array>,
  stdin: Bun.FileSink,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const chunk of source) {
      if (signal.aborted) return;
      // the program may have ended, and says why itself
      if (!(await isTaken(stdin, chunk))) return;
    }
  } finally {
    await Promise.resolve(stdin.end()).catch(() => undefined);
  }
}

async function isTaken(stdin: Bun.FileSink, chunk: Uint8Array): Promise<boolean> {
  try {
    await stdin.write(Uint8Array.from(chunk));
    await stdin.flush();
    return true;
  } catch {
    return false;
  }
}

async function firstWords(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    if (text.length < MAX_ERROR_BYTES) text += decoder.decode(chunk, { stream: true });
  }
  return text.slice(0, MAX_ERROR_BYTES);
}
