import { EngineError } from "#base/errors.ts";
import type { ChunkQueue } from "./chunk-queue.ts";

/** Status line and headers of an answer; header names in lower case, the last of equal names counts. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** More than any engine sends; a server that sends more is not one. */
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_CHUNK_LINE_BYTES = 1024;

/** HTTP/1.1 answers (RFC 9112) taken from a byte stream; what follows an upgrade is left in it. */
export class HttpReader {
  readonly #source: ChunkQueue;
  #left: Uint8Array = new Uint8Array(0);

  constructor(source: ChunkQueue) {
    this.#source = source;
  }

  /** The next final head; 1xx answers other than 101 are passed over. @throws {EngineError} corrupt, unavailable */
  async head(): Promise<ResponseHead> {
    for (;;) {
      const lines: string[] = [];
      let size = 0;
      for (
        let line = await this.#line(MAX_HEAD_BYTES);
        line !== "";
        line = await this.#line(MAX_HEAD_BYTES)
      ) {
        size += line.length;
        if (size > MAX_HEAD_BYTES) throw malformed("its headers are too long");
        lines.push(line);
      }
      const head = parseHead(lines);
      if (head.status >= 200 || head.status === 101) return head;
    }
  }

  /** The body that belongs to `head`, decoded from its transfer coding. */
  body(head: ResponseHead, method: string): AsyncGenerator<Uint8Array, void> {
    if (method === "HEAD" || head.status === 204 || head.status === 304) return this.#exactly(0);
    if (head.headers.get("transfer-encoding")?.toLowerCase().includes("chunked")) return this.#chunked();
    const length = head.headers.get("content-length");
    if (length === undefined) return this.raw();
    if (!/^\d{1,15}$/.test(length)) throw malformed(`its Content-Length is "${length}"`);
    return this.#exactly(Number(length));
  }

  /** All bytes to the end of the stream. */
  async *raw(): AsyncGenerator<Uint8Array, void> {
    for (let chunk = await this.#chunk(); chunk; chunk = await this.#chunk()) yield chunk;
  }

  async *#exactly(length: number): AsyncGenerator<Uint8Array, void> {
    for (let rest = length; rest > 0; ) {
      const chunk = await this.#chunk();
      if (!chunk) throw cut();
      this.#left = chunk.subarray(rest);
      const part = chunk.subarray(0, rest);
      rest -= part.length;
      yield part;
    }
  }

  async *#chunked(): AsyncGenerator<Uint8Array, void> {
    for (;;) {
      const line = await this.#line(MAX_CHUNK_LINE_BYTES);
      const size = /^([0-9a-fA-F]{1,12})\s*(?:;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw malformed(`a chunk size is "${line}"`);
      const length = Number.parseInt(size, 16);
      if (length === 0) break;
      yield* this.#exactly(length);
      if ((await this.#line(MAX_CHUNK_LINE_BYTES)) !== "") throw malformed("a chunk is longer than it says");
    }
    while ((await this.#line(MAX_HEAD_BYTES)) !== "") {
      // Trailers say nothing an engine's client needs.
    }
  }

  async #chunk(): Promise<Uint8Array | undefined> {
    if (this.#left.length === 0) return await this.#source.take();
    const left = this.#left;
    this.#left = new Uint8Array(0);
    return left;
  }

  async #line(limit: number): Promise<string> {
    let text = "";
    for (;;) {
      const chunk = await this.#chunk();
      if (!chunk) throw cut();
      const end = chunk.indexOf(10);
      text += latin1(end === -1 ? chunk : chunk.subarray(0, end));
      if (text.length > limit) throw malformed("a line is too long");
      if (end !== -1) {
        this.#left = chunk.subarray(end + 1);
        return text.endsWith("\r") ? text.slice(0, -1) : text;
      }
    }
  }
}

function parseHead(lines: readonly string[]): ResponseHead {
  const [first = "", ...rest] = lines;
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw malformed(`it begins with "${first.slice(0, 80)}"`);
  const headers = new Map<string, string>();
  for (const line of rest) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw malformed(`a header line is "${line.slice(0, 80)}"`);
    headers.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(status), headers };
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function malformed(found: string): EngineError {
  return new EngineError("corrupt", `Cannot read the engine's answer: ${found}`, {
    hint: "Check that the host given by -H or DOCKER_HOST is an engine and speaks plain HTTP",
  });
}

function cut(): EngineError {
  return new EngineError("unavailable", "Cannot read the engine's answer: the connection ended early");
}
