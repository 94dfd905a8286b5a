/**
 * Netlink messages as bytes, and back. Pure: no socket here.
 *
 * ```
 * message    | length u32 | type u16 | flags u16 | sequence u32 | port u32 | payload, padded to 4 |
 * attribute  | length u16 | type u16 | value, padded to 4 |        nested: type carries bit 15, value is attributes
 * ```
 *
 * Lengths count the header and not the padding. Byte order is the machine's; every machine Bun runs on is
 * little-endian. Source: the kernel's Documentation/userspace-api/netlink/intro.rst.
 */
const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
/** Bits of an attribute's type that are flags: nested, and network byte order. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const ATTRIBUTE_NESTED = 0x8000;

/** Message types every family shares. */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
/** In an answer: the table changed while it was dumped, so the dump may lack entries. */
export const NLM_F_DUMP_INTR = 0x10;
/** In an acknowledgement: the copy of the request holds its header alone. */
const NLM_F_CAPPED = 0x100;
/** In an acknowledgement: attributes with the kernel's own text follow. */
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const length = HEADER_BYTES + message.payload.length;
  const bytes = new Uint8Array(padded(length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length, true);
  view.setUint16(4, message.type, true);
  view.setUint16(6, message.flags, true);
  view.setUint32(8, message.sequence, true);
  bytes.set(message.payload, HEADER_BYTES);
  return bytes;
}

/** Every message of one datagram. @throws {Error} when a length leaves the datagram. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const view = viewOf(bytes);
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER_BYTES || at + length > bytes.length) throw new Error("netlink message is cut short");
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: bytes.subarray(at + HEADER_BYTES, at + length),
    });
    at += padded(length);
  }
  return messages;
}

/** An attribute whose value is these pieces, one after the other. */
export function attribute(type: number, ...value: readonly Uint8Array[]): Uint8Array {
  const body = concatenate(value);
  const length = ATTRIBUTE_HEADER_BYTES + body.length;
  const bytes = new Uint8Array(padded(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(body, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

/** An attribute that holds attributes. */
export function nested(type: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | ATTRIBUTE_NESTED, ...attributes);
}

export function u8Attribute(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value));
}

export function u16Attribute(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(2);
  new DataView(bytes.buffer).setUint16(0, value, true);
  return attribute(type, bytes);
}

export function u32Attribute(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return attribute(type, bytes);
}

/** Text with the zero byte that ends a C string. */
export function textAttribute(type: number, text: string): Uint8Array {
  return attribute(type, new TextEncoder().encode(`${text}\0`));
}

/** The attributes in `bytes` by type, flags of the type removed; a repeated type keeps its last value. */
export function decodeAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = viewOf(bytes);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + ATTRIBUTE_HEADER_BYTES <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_BYTES || at + length > bytes.length) {
      throw new Error("netlink attribute is cut short");
    }
    const type = view.getUint16(at + 2, true) & ATTRIBUTE_TYPE_MASK;
    attributes.set(type, bytes.subarray(at + ATTRIBUTE_HEADER_BYTES, at + length));
    at += padded(length);
  }
  return attributes;
}

/** What an `NLMSG_ERROR` says: errno 0 is success; `text` is the kernel's own reason, where it gave one. */
export interface Acknowledgement {
  readonly errno: number;
  readonly text?: string;
}

export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const view = viewOf(message.payload);
  const errno = Math.abs(view.getInt32(0, true));
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno };
  const echoed = (message.flags & NLM_F_CAPPED) === 0 ? padded(view.getUint32(4, true)) : HEADER_BYTES;
  const text = decodeAttributes(message.payload.subarray(4 + echoed)).get(NLMSGERR_ATTR_MSG);
  return text === undefined ? { errno } : { errno, text: decodeText(text) };
}

export function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

export function decodeU32(bytes: Uint8Array): number {
  return viewOf(bytes).getUint32(0, true);
}

/** A view of just these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function concatenate(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
