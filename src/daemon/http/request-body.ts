import { EngineError } from "#base/errors.ts";
import type { ByteStream } from "./byte-stream.ts";
import type { BodyFraming } from "./request-head.ts";

const MAX_CHUNK_LINE_BYTES = 4096;

/** The body of one request, read once; stops exactly where the body does. */
export class RequestBody {
  readonly #stream: ByteStream;
  readonly #framing: BodyFraming;
  readonly #beforeFirstRead: () => Promise<void>;
  #isTaken = false;
  #isDone: boolean;

  /** @param beforeFirstRead asks the client for the body (`100 Continue`) when it waits to be asked */
  constructor(stream: ByteStream, framing: BodyFraming, beforeFirstRead: () => Promise<void>) {
    this.#stream = stream;
    this.#framing = framing;
    this.#beforeFirstRead = beforeFirstRead;
    this.#isDone = framing.kind === "none";
  }

  /** True when every byte of the body has been read, so that the next request can follow. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** @throws {EngineError} cancelled when the client goes before the body is whole; invalid for bad chunking */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    if (this.#isTaken) throw new Error("a request body is read once");
    this.#isTaken = true;
    if (this.#isDone) return;
    await this.#beforeFirstRead();
    if (this.#framing.kind === "length") yield* this.#exactly(this.#framing.length);
    else yield* this.#chunked();
    this.#isDone = true;
  }

  /** The whole body. @throws {EngineError} invalid when it is longer than `limit` bytes */
  async bytes(limit: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this) {
      size += part.byteLength;
      if (size > limit)
        throw new EngineError("invalid", `Cannot read request body: more than ${limit} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** Reads what is left, up to `limit` bytes; false when there was more. */
  async discard(limit: number): Promise<boolean> {
    if (this.#isDone) return true;
    if (this.#isTaken || (this.#framing.kind === "length" && this.#framing.length > limit)) return false;
    let size = 0;
    for await (const part of this) {
      size += part.byteLength;
      if (size > limit) return false;
    }
    return true;
  }

  /**
   * Before the connection is taken over: drops an unread body of declared length, which some clients send to repeat
   * the query. What follows a head without a length belongs to the stream. @throws {EngineError} invalid when too long
   */
  async skipDeclared(limit: number): Promise<void> {
    if (this.#framing.kind !== "length" || (await this.discard(limit))) return;
    throw new EngineError("invalid", `Cannot read request body: more than ${limit} bytes`);
  }

  async *#exactly(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      const chunk = await this.#next();
      if (chunk.byteLength > left) this.#stream.unread(chunk.subarray(left));
      const part = chunk.byteLength > left ? chunk.subarray(0, left) : chunk;
      left -= part.byteLength;
      if (left === 0) this.#isDone = true;
      yield part;
    }
  }

  async *#chunked(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const line = await this.#line();
      const size = /^([0-9a-fA-F]{1,8})(?:[ \t]*;.*)?$/.exec(line)?.[1];
      if (size === undefined) throw new EngineError("invalid", "Cannot read request body: malformed chunk");
      if (Number.parseInt(size, 16) === 0) break;
      yield* this.#chunk(Number.parseInt(size, 16));
      if ((await this.#line()) !== "")
        throw new EngineError("invalid", "Cannot read request body: malformed chunk");
    }
    while ((await this.#line()) !== "") {
      // trailers are of no use to us
    }
  }

  async *#chunk(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      const chunk = await this.#next();
      if (chunk.byteLength > left) this.#stream.unread(chunk.subarray(left));
      const part = chunk.byteLength > left ? chunk.subarray(0, left) : chunk;
      left -= part.byteLength;
      yield part;
    }
  }

  /** One line without its CRLF. */
  async #line(): Promise<string> {
    let line: Buffer = Buffer.alloc(0);
    for (;;) {
      const chunk = await this.#next();
      // Most often the line is whole and the content follows it in the same chunk: no copy of that then.
      line =
        line.byteLength === 0
          ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
          : Buffer.concat([line, chunk]);
      const end = line.indexOf("\r\n");
      if (end >= 0) {
        this.#stream.unread(line.subarray(end + 2));
        return line.toString("latin1", 0, end);
      }
      if (line.byteLength > MAX_CHUNK_LINE_BYTES)
        throw new EngineError("invalid", "Cannot read request body: malformed chunk");
    }
  }

  async #next(): Promise<Uint8Array> {
    const chunk = await this.#stream.read();
    if (chunk === undefined)
      throw new EngineError("cancelled", "Cannot read request body: the client has gone");
    return chunk;
  }
}
