import { EngineError } from "#base/errors.ts";
import { readName } from "./domain-name.ts";

/**
 * DNS messages as bytes, and back: questions of containers, our answers, and what an upstream's answer must be like to be
 * passed on. Pure. Sources: RFC 1035 (4.1), RFC 6891 (EDNS).
 *
 * ```
 * header     | id u16 | QR 1, opcode 4, AA 1, TC 1, RD 1, RA 1, Z 1, AD 1, CD 1, code 4 | four counts u16 |
 * question   | name | type u16 | class u16 |
 * record     | name | type u16 | class u16 | ttl u32 | length u16 | data |
 * OPT        | 0 | 41 u16 | largest datagram u16 | code's upper bits u8, version u8, flags u16 | length u16 | options |
 * ```
 */
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const FLAG_CHECKING_DISABLED = 0x0010;
const OPCODE = 0x7800;
/** Of an OPT record without options. */
const OPT_BYTES = 11;
/** Every asker takes that much by UDP. */
const SMALLEST_LIMIT = 512;
/** What we say that we take: fits a packet on every link (RFC 9715). */
const OUR_DATAGRAM_BYTES = 1232;

export const TYPE = { A: 1, PTR: 12, MX: 15, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const CLASS_INTERNET = 1;
export const CODE = { success: 0, malformed: 1, failure: 2, noName: 3, notDone: 4, refused: 5 } as const;
export type Code = (typeof CODE)[keyof typeof CODE] | typeof BAD_VERSION;
/** EDNS of a version that we do not know; 12 bits, the upper ones are in the OPT record. */
const BAD_VERSION = 16;

export interface Query {
  readonly id: number;
  /** The message's flags. */
  readonly flags: number;
  /** As `readName` gives it. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question as it was written, name to class. Empty when it could not be read. */
  readonly question: Uint8Array;
  /** The largest answer the asker takes by UDP. */
  readonly datagramBytes: number;
  readonly hasEdns: boolean;
}

export type ReadQuery =
  | { readonly kind: "query"; readonly query: Query }
  /** Answer with this code. */
  | { readonly kind: "refused"; readonly query: Query; readonly code: Code }
  /** No question at all: to answer might be to talk to oneself. */
  | { readonly kind: "ignored" };

export function readQuery(message: Uint8Array): ReadQuery {
  if (message.length < HEADER_BYTES) return { kind: "ignored" };
  const view = viewOf(message);
  const flags = view.getUint16(2);
  if ((flags & FLAG_RESPONSE) !== 0) return { kind: "ignored" };
  const header = { id: view.getUint16(0), flags };
  const refused = (code: Code, query: Query = unread(header)): ReadQuery => ({
    kind: "refused",
    query,
    code,
  });
  if ((flags & OPCODE) !== 0) return refused(CODE.notDone);
  // One question, and nothing that belongs into answers.
  if (view.getUint16(4) !== 1 || view.getUint32(6) !== 0) return refused(CODE.malformed);
  try {
    const { query, version } = readQuestion(message, header);
    return version === 0 ? { kind: "query", query } : refused(BAD_VERSION, query);
  } catch (error) {
    if (EngineError.is(error, "invalid")) return refused(CODE.malformed);
    throw error;
  }
}

/** One of our own records, under the name that was asked for. */
export interface Answer {
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: Uint8Array;
}

export interface Reply {
  readonly code: Code;
  readonly answers?: readonly Answer[];
  /** Of the whole message; answers that do not fit are left out, and the message says so. */
  readonly limitBytes: number;
}

export function encodeReply(query: Query, { code, answers = [], limitBytes }: Reply): Uint8Array {
  const fixed = HEADER_BYTES + query.question.length + (query.hasEdns ? OPT_BYTES : 0);
  let length = fixed;
  let count = 0;
  for (const { data } of answers) {
    if (length + RECORD_HEADER_BYTES + data.length > limitBytes) break;
    length += RECORD_HEADER_BYTES + data.length;
    count++;
  }
  const bytes = new Uint8Array(length);
  const view = viewOf(bytes);
  const echoed = query.flags & (OPCODE | FLAG_RECURSION_DESIRED | FLAG_CHECKING_DISABLED);
  const truncated = count < answers.length ? FLAG_TRUNCATED : 0;
  view.setUint16(0, query.id);
  view.setUint16(2, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | echoed | truncated | (code & 0xf));
  view.setUint16(4, query.question.length > 0 ? 1 : 0);
  view.setUint16(6, count);
  view.setUint16(10, query.hasEdns ? 1 : 0);
  bytes.set(query.question, HEADER_BYTES);
  let at = HEADER_BYTES + query.question.length;
  for (const answer of answers.slice(0, count)) at = writeAnswer(view, at, answer);
  if (query.hasEdns) writeOpt(view, at, code);
  return bytes;
}

/** The message of a query under another id, for an upstream. */
export function withId(message: Uint8Array, id: number): Uint8Array {
  const copy = message.slice();
  viewOf(copy).setUint16(0, id);
  return copy;
}

/** What an upstream's message says of itself, when it is the answer to `asked`, the message that we sent to it. */
export interface UpstreamReply {
  readonly code: number;
  readonly isTruncated: boolean;
}

/**
 * `undefined` unless `message` has the id and the question of `asked`: somebody who does not see our packets would have
 * to guess both. Upper and lower case of the name may differ.
 */
export function readUpstreamReply(message: Uint8Array, asked: Uint8Array): UpstreamReply | undefined {
  const end = questionEnd(asked);
  if (end === undefined || message.length < end) return undefined;
  const view = viewOf(message);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== viewOf(asked).getUint16(0)) return undefined;
  if ((flags & FLAG_RESPONSE) === 0 || (flags & OPCODE) !== 0 || view.getUint16(4) !== 1) return undefined;
  const nameEnd = end - 4;
  for (let at = HEADER_BYTES; at < end; at++) {
    const [theirs = 0, ours = 0] = [message[at], asked[at]];
    // No label is as long as a letter's number.
    if (at < nameEnd ? lower(theirs) !== lower(ours) : theirs !== ours) return undefined;
  }
  return { code: flags & 0xf, isTruncated: (flags & FLAG_TRUNCATED) !== 0 };
}

/** An upstream's answer as the asker gets it: under its id, with the question as it wrote it, within `limitBytes`. */
export function relayedReply(message: Uint8Array, query: Query, limitBytes: number): Uint8Array {
  if (message.length > limitBytes) {
    const cut = encodeReply(query, { code: CODE.success, limitBytes });
    const view = viewOf(cut);
    view.setUint16(2, view.getUint16(2) | FLAG_TRUNCATED);
    return cut;
  }
  const relayed = withId(message, query.id);
  relayed.set(query.question, HEADER_BYTES);
  return relayed;
}

const RECORD_HEADER_BYTES = 12;
/** A pointer to the name of the question. */
const QUESTION_NAME = 0xc000 | HEADER_BYTES;

function writeAnswer(view: DataView, at: number, { type, ttlSeconds, data }: Answer): number {
  view.setUint16(at, QUESTION_NAME);
  view.setUint16(at + 2, type);
  view.setUint16(at + 4, CLASS_INTERNET);
  view.setUint32(at + 6, ttlSeconds);
  view.setUint16(at + 10, data.length);
  for (const [i, byte] of data.entries()) view.setUint8(at + RECORD_HEADER_BYTES + i, byte);
  return at + RECORD_HEADER_BYTES + data.length;
}

function writeOpt(view: DataView, at: number, code: Code): void {
  view.setUint16(at + 1, TYPE.OPT);
  view.setUint16(at + 3, OUR_DATAGRAM_BYTES);
  view.setUint8(at + 5, code >> 4);
}

interface Header {
  readonly id: number;
  readonly flags: number;
}

function readQuestion(message: Uint8Array, header: Header): { query: Query; version: number } {
  const view = viewOf(message);
  const { text: name, end } = readName(message, HEADER_BYTES);
  if (end + 4 > message.length) throw new EngineError("invalid", "Cannot read DNS message: it ends early");
  const opt = findOpt(message, end + 4, view.getUint16(10));
  const query: Query = {
    ...header,
    name,
    type: view.getUint16(end),
    class: view.getUint16(end + 2),
    question: message.slice(HEADER_BYTES, end + 4),
    datagramBytes: Math.max(SMALLEST_LIMIT, opt?.datagramBytes ?? 0),
    hasEdns: opt !== undefined,
  };
  return { query, version: opt?.version ?? 0 };
}

interface Opt {
  readonly datagramBytes: number;
  readonly version: number;
}

/** The OPT record among `count` records from `at` on; a message may have one. @throws {EngineError} invalid */
function findOpt(message: Uint8Array, at: number, count: number): Opt | undefined {
  const view = viewOf(message);
  let opt: Opt | undefined;
  let position = at;
  for (let i = 0; i < count; i++) {
    const { text, end } = readName(message, position);
    if (end + 10 > message.length) throw new EngineError("invalid", "Cannot read DNS message: it ends early");
    if (view.getUint16(end) === TYPE.OPT) {
      if (opt !== undefined || text !== "") {
        throw new EngineError("invalid", "Cannot read DNS message: OPT is not one of the root");
      }
      opt = { datagramBytes: view.getUint16(end + 2), version: view.getUint8(end + 5) };
    }
    position = end + 10 + view.getUint16(end + 8);
    if (position > message.length) {
      throw new EngineError("invalid", "Cannot read DNS message: it ends early");
    }
  }
  return opt;
}

/** Where the question of a message that we have read before ends. */
function questionEnd(asked: Uint8Array): number | undefined {
  let at = HEADER_BYTES;
  for (;;) {
    const length = asked[at];
    if (length === undefined || length > 63) return undefined;
    at += length + 1;
    if (length === 0) return at + 4 <= asked.length ? at + 4 : undefined;
  }
}

function unread(header: Header): Query {
  return {
    ...header,
    name: "",
    type: 0,
    class: 0,
    question: new Uint8Array(0),
    datagramBytes: SMALLEST_LIMIT,
    hasEdns: false,
  };
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
