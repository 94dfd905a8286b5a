/** Messages on a TCP connection: each behind its length, two bytes. RFC 1035, 4.2.2. */
const LENGTH_BYTES = 2;

export function framed(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + message.length);
  new DataView(bytes.buffer).setUint16(0, message.length);
  bytes.set(message, LENGTH_BYTES);
  return bytes;
}

/** Puts messages together from what arrives. Holds no more than one unfinished message, 64 KiB. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The messages that these bytes complete. */
  push(bytes: Uint8Array): Uint8Array[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const messages: Uint8Array[] = [];
    while (rest.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + (((rest[0] ?? 0) << 8) | (rest[1] ?? 0));
      if (rest.length < end) break;
      messages.push(rest.subarray(LENGTH_BYTES, end));
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return messages;
  }
}
