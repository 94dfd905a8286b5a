import { EngineError } from "#base/errors.ts";

// The multiplexed stream of attach, exec and logs without a terminal: frames of
//
//   byte 0       1..3    4..7                8..
//   stream       0       length, big-endian  payload
//
// stream: 0 stdin, 1 stdout, 2 stderr, 3 an error of the engine itself. Engine API, "Stream format".

export type StreamName = "stdin" | "stdout" | "stderr" | "system";

export interface Frame {
  readonly stream: StreamName;
  /** A part of the payload when the frame is longer than what has arrived. */
  readonly data: Uint8Array;
}

const STREAMS: readonly StreamName[] = ["stdin", "stdout", "stderr", "system"];
const HEADER_BYTES = 8;

/** One frame, header and payload in one array. */
export function encodeFrame(stream: StreamName, data: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEADER_BYTES + data.length);
  frame[0] = STREAMS.indexOf(stream);
  new DataView(frame.buffer).setUint32(4, data.length);
  frame.set(data, HEADER_BYTES);
  return frame;
}

/** Many frames, in order, in one array: what a batch of log lines is sent as. */
export function encodeFrames(
  frames: readonly { readonly stream: StreamName; readonly data: Uint8Array }[],
): Uint8Array {
  const size = frames.reduce((sum, { data }) => sum + HEADER_BYTES + data.length, 0);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { stream, data } of frames) {
    bytes[at] = STREAMS.indexOf(stream);
    view.setUint32(at + 4, data.length);
    bytes.set(data, at + HEADER_BYTES);
    at += HEADER_BYTES + data.length;
  }
  return bytes;
}

/** Neighbours of one stream joined, so that a thousand short lines are written at once. */
export function* joinFrames(frames: Iterable<Frame>): Generator<Frame, void> {
  let stream: StreamName = "stdout";
  let parts: Uint8Array[] = [];
  for (const frame of frames) {
    if (frame.stream !== stream && parts.length > 0) {
      yield { stream, data: joined(parts) };
      parts = [];
    }
    stream = frame.stream;
    parts.push(frame.data);
  }
  if (parts.length > 0) yield { stream, data: joined(parts) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Takes the stream apart as it arrives. It holds at most one unfinished header: payload is given out as it comes, in
 * views of the arriving chunks, so a frame that claims gigabytes costs nothing.
 */
export class FrameDecoder {
  readonly #header = new Uint8Array(HEADER_BYTES);
  readonly #view = new DataView(this.#header.buffer);
  #headerBytes = 0;
  #rest = 0;
  #stream: StreamName = "stdout";

  /** @throws {EngineError} corrupt for an unknown stream number: the bytes are not framed */
  *push(chunk: Uint8Array): Generator<Frame, void> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#rest > 0) {
        const data = chunk.subarray(at, at + this.#rest);
        this.#rest -= data.length;
        at += data.length;
        yield { stream: this.#stream, data };
        continue;
      }
      const part = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - at);
      for (let byte = 0; byte < part; byte++) this.#header[this.#headerBytes + byte] = chunk[at + byte] ?? 0;
      this.#headerBytes += part;
      at += part;
      if (this.#headerBytes === HEADER_BYTES) this.#begin();
    }
  }

  /** @throws {EngineError} corrupt when the stream ended inside a frame */
  end(): void {
    if (this.#headerBytes > 0 || this.#rest > 0) {
      throw new EngineError("corrupt", "Cannot read the container's output: the stream ended inside a frame");
    }
  }

  #begin(): void {
    const number = this.#view.getUint32(0) / 0x1000000;
    const stream = STREAMS[number];
    if (stream === undefined) {
      const first = this.#header[0];
      throw new EngineError("corrupt", `Cannot read the container's output: unrecognized stream ${first}`);
    }
    this.#stream = stream;
    this.#rest = this.#view.getUint32(4);
    this.#headerBytes = 0;
  }
}
