/*
 *  Frames of RFC 6455, 5.2:
 *
 *   0      FIN(1) RSV(3) opcode(4)
 *   1      MASK(1) length(7): 126 = 2 more bytes of length, 127 = 8 more, big-endian
 *   ...    the masking key, 4 bytes, when MASK is set: always by clients, never by servers
 *   ...    payload
 */

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A control frame is no longer than this. RFC 6455, 5.5. */
const MAX_CONTROL_BYTES = 125;

/** What a client sent. The payload of a large frame comes in several pieces, so that none is held whole. */
export type ClientFrame =
  | { readonly kind: "data"; readonly data: Uint8Array }
  | { readonly kind: "ping"; readonly data: Uint8Array }
  | { readonly kind: "close"; readonly code: number | undefined };

/** The client does not follow the protocol: the connection is of no more use. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** One whole frame, unmasked. */
export function encodeServerFrame(
  kind: "text" | "binary" | "close" | "pong",
  payload: Uint8Array,
): Uint8Array {
  const size = payload.byteLength;
  const extra = size <= 125 ? 0 : size <= 0xffff ? 2 : 8;
  const frame = Buffer.alloc(2 + extra + size);
  frame[0] = 0x80 | OPCODE[kind];
  frame[1] = extra === 0 ? size : extra === 2 ? 126 : 127;
  if (extra === 2) frame.writeUInt16BE(size, 2);
  if (extra === 8) frame.writeBigUInt64BE(BigInt(size), 2);
  frame.set(payload, 2 + extra);
  return frame;
}

/** Unmasks what a client sends, however it is cut up; ends with its close frame or its bytes. @throws {ProtocolError} */
export async function* readClientFrames(input: AsyncIterable<Uint8Array>): AsyncGenerator<ClientFrame> {
  const reader = new ByteReader(input);
  let isInMessage = false;
  for (;;) {
    const head = await reader.exactly(2);
    if (head === undefined) return;
    const { opcode, isFinal, length: shortLength } = parseHead(head);
    const isControl = opcode >= OPCODE.close;
    if (!isControl) {
      if ((opcode === OPCODE.continuation) !== isInMessage) {
        throw new ProtocolError("a message begins within another, or goes on without one");
      }
      isInMessage = !isFinal;
    } else if (!isFinal || shortLength > MAX_CONTROL_BYTES) {
      throw new ProtocolError("a control frame is in parts or too long");
    }
    const length = await readLength(reader, shortLength);
    const mask = await reader.exactly(4);
    if (mask === undefined) return;
    if (!isControl) {
      for await (const data of reader.masked(length, mask)) yield { kind: "data", data };
      continue;
    }
    const payload = await reader.exactly(length);
    if (payload === undefined) return;
    unmask(payload, mask, 0);
    if (opcode === OPCODE.ping) yield { kind: "ping", data: payload };
    if (opcode !== OPCODE.close) continue;
    yield { kind: "close", code: closeCode(payload) };
    return;
  }
}

function parseHead(head: Uint8Array): { opcode: number; isFinal: boolean; length: number } {
  const [first = 0, second = 0] = head;
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) throw new ProtocolError("a reserved bit is set");
  if ((second & 0x80) === 0) throw new ProtocolError("a client's frame is not masked");
  if (!Object.values<number>(OPCODE).includes(opcode)) throw new ProtocolError(`unknown opcode ${opcode}`);
  return { opcode, isFinal: (first & 0x80) !== 0, length: second & 0x7f };
}

async function readLength(reader: ByteReader, short: number): Promise<number> {
  if (short < 126) return short;
  const bytes = await reader.exactly(short === 126 ? 2 : 8);
  if (bytes === undefined) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = short === 126 ? view.getUint16(0) : Number(view.getBigUint64(0));
  if (!Number.isSafeInteger(length)) throw new ProtocolError("a frame is longer than any can be");
  return length;
}

/** `undefined` when the client gave none. A code that no client may send is an error. RFC 6455, 7.4. */
function closeCode(payload: Uint8Array): number | undefined {
  if (payload.byteLength === 0) return undefined;
  const code = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
  const isSendable = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || code >= 3000;
  if (payload.byteLength === 1 || !isSendable || code > 4999) throw new ProtocolError("a close code is none");
  return code;
}

/** @param offset how many bytes of the payload came before */
function unmask(data: Uint8Array, mask: Uint8Array, offset: number): void {
  for (let i = 0; i < data.byteLength; i++) data[i] = (data[i] ?? 0) ^ (mask[(offset + i) & 3] ?? 0);
}

/** Takes bytes in the sizes asked for from chunks of any size. */
class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #held: Uint8Array = new Uint8Array();

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /** A copy of the next `size` bytes; `undefined` when there are not so many. `size` is small. */
  async exactly(size: number): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(size);
    for (let filled = 0; filled < size; ) {
      const part = await this.#upTo(size - filled);
      if (part === undefined) return undefined;
      bytes.set(part, filled);
      filled += part.byteLength;
    }
    return bytes;
  }

  /** The next `size` bytes of a payload, unmasked, in pieces as they arrive. */
  async *masked(size: number, mask: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let read = 0; read < size; ) {
      const part = await this.#upTo(size - read);
      if (part === undefined) return;
      const data = Uint8Array.from(part);
      unmask(data, mask, read);
      read += part.byteLength;
      yield data;
    }
  }

  async #upTo(size: number): Promise<Uint8Array | undefined> {
    while (this.#held.byteLength === 0) {
      const next = await this.#chunks.next();
      if (next.done) return undefined;
      this.#held = next.value;
    }
    const part = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(part.byteLength);
    return part;
  }
}
