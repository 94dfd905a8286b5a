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

/**
 * Takes the stream apart as it arrives. It holds at most one unfinished header: payload is given out as it comes, in
 * views of the arriving chunks, so a frame that claims gigabytes costs nothing.
 */
export class FrameDecoder {
  readonly #header = new Uint8Array(HEADER_BYTES);
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
      const part = chunk.subarray(at, at + HEADER_BYTES - this.#headerBytes);
      this.#header.set(part, this.#headerBytes);
      this.#headerBytes += part.length;
      at += part.length;
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
    const [number = 0, ...padding] = this.#header.subarray(0, 4);
    const stream = STREAMS[number];
    if (stream === undefined || padding.some((byte) => byte !== 0)) {
      throw new EngineError("corrupt", `Cannot read the container's output: unrecognized stream ${number}`);
    }
    this.#stream = stream;
    this.#rest = new DataView(this.#header.buffer).getUint32(4);
    this.#headerBytes = 0;
  }
}
