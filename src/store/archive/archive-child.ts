import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import { type Child, spawn } from "#linux/process.ts";
import { selfCommand } from "#linux/self.ts";
import { type ArchiveRequest, decodeFailure } from "./archive-request.ts";

const SIGKILL = 9;
/** As much is handed over before we wait for it to be taken. */
const HELD_BYTES = 512 * 1024;
/** Its lines are a few hundred bytes; what a child that dies says is cut. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * A child that works on a container's files. It is on its own: what it reads is hostile, and a file system that hangs
 * hangs nobody else. When `signal` fires it is killed. Dispose it in any case: nothing of it is left then.
 */
export class ArchiveChild implements AsyncDisposable {
  readonly #child: Child;
  readonly #signal: AbortSignal;
  readonly #kill = (): void => this.#child.kill(SIGKILL);
  readonly #lines: AsyncIterator<string>;

  constructor(request: ArchiveRequest, signal: AbortSignal) {
    signal.throwIfAborted();
    this.#signal = signal;
    this.#child = spawn(selfCommand("worker", "archive", JSON.stringify(request)), {
      stdin: request.kind === "extract" ? "pipe" : "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    signal.addEventListener("abort", this.#kill, { once: true });
    this.#lines = linesOf(this.#child.stderr);
  }

  /** What it tells under `key`. @throws {EngineError} what it failed of */
  async told(key: "stat" | "done"): Promise<Fields> {
    const line = await this.#lines.next();
    this.#signal.throwIfAborted();
    const text = line.done ? "" : line.value;
    if (!text.startsWith("{")) {
      throw new EngineError("internal", "the worker on a container's files ended without an answer", {
        cause: new Error(text),
      });
    }
    const fields = new Fields(parseJson(text, "answer of the archive worker"), "answer");
    if (fields.has("error")) throw decodeFailure(fields.object("error"));
    return fields.object(key);
  }

  /** What it writes. */
  async *output(): AsyncGenerator<Uint8Array, void, undefined> {
    const reader = this.#child.stdout?.getReader();
    for (;;) {
      const part = await reader?.read();
      this.#signal.throwIfAborted();
      if (part === undefined || part.done) return;
      yield part.value;
    }
  }

  /** Gives it `source` to read; leaves off when it has ended, which `told` explains. */
  async feed(source: AsyncIterable<Uint8Array>): Promise<void> {
    const sink = this.#child.stdin;
    try {
      let held = 0;
      for await (const chunk of source) {
        this.#signal.throwIfAborted();
        await sink?.write(chunk);
        held += chunk.byteLength;
        if (held < HELD_BYTES) continue;
        await sink?.flush();
        held = 0;
      }
      await sink?.end();
    } catch (error) {
      if (!isErrno(error, "EPIPE", "ECONNRESET")) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#kill);
    this.#kill();
    await this.#child.exited;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array> | undefined): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let text = "";
  const reader = stream?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) break;
    text += decoder.decode(part.value, { stream: true });
    if (text.length > MAX_LINE_BYTES) break;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  if (text !== "") yield text;
}
