import { EngineError } from "#base/errors.ts";
import { decodeName } from "#base/file-name.ts";
import { quoted } from "./tar-entry.ts";

/*
 * Extended headers: records of `<length> <key>=<value>\n`, the length in decimal and counting the whole record.
 * POSIX pax, "pax Extended Header". A value may hold any byte, newlines included.
 */

const NEWLINE = 0x0a;
const EQUALS = 0x3d;
const SPACE = 0x20;
const NANOSECONDS = 1_000_000_000n;

/** Reads records in order; later keys win. The values are copies, an empty one takes a default back. */
export function parsePax(bytes: Uint8Array): Map<string, Uint8Array> {
  const records = new Map<string, Uint8Array>();
  let offset = 0;
  while (offset < bytes.length) {
    const space = bytes.indexOf(SPACE, offset);
    const lengthText = space < 0 || space - offset > 8 ? "" : decodeName(bytes.subarray(offset, space));
    const end = offset + Number(lengthText);
    if (!/^[1-9][0-9]*$/.test(lengthText) || end > bytes.length || bytes[end - 1] !== NEWLINE) {
      throw new EngineError("invalid", "Cannot read tar: a record of an extended header has a wrong length");
    }
    const equals = bytes.indexOf(EQUALS, space);
    if (equals < 0 || equals >= end || equals === space + 1) {
      throw new EngineError("invalid", "Cannot read tar: a record of an extended header has no key");
    }
    records.set(decodeName(bytes.subarray(space + 1, equals)), bytes.slice(equals + 1, end - 1));
    offset = end;
  }
  return records;
}

/** The bytes of `records`, keys in code-unit order so that equal input gives equal bytes. */
export function encodePax(records: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const keys = [...records.keys()].sort();
  return concat(keys.map((key) => encodeRecord(key, records.get(key) ?? new Uint8Array())));
}

/** `1700000000.25`, `-1.5`; digits past nanoseconds are dropped. */
export function parsePaxTime(value: Uint8Array): bigint {
  const match = /^(-?)([0-9]{1,18})(?:\.([0-9]*))?$/.exec(decodeName(value));
  if (match === null)
    throw new EngineError("invalid", `Cannot read tar: wrong time ${quoted(decodeName(value))}`);
  const [, sign, seconds = "0", fraction = ""] = match;
  const time = BigInt(seconds) * NANOSECONDS + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return sign === "-" ? -time : time;
}

export function formatPaxTime(timeNs: bigint): string {
  const size = timeNs < 0n ? -timeNs : timeNs;
  const fraction = (size % NANOSECONDS).toString().padStart(9, "0").replace(/0+$/, "");
  return `${timeNs < 0n ? "-" : ""}${size / NANOSECONDS}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A whole number within the safe range, not negative. */
export function parsePaxNumber(value: Uint8Array, key: string): number {
  const text = decodeName(value);
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number)) {
    throw new EngineError("invalid", `Cannot read tar: wrong ${key} ${quoted(text)}`);
  }
  return number;
}

function encodeRecord(key: string, value: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(` ${key}=`);
  const rest = name.length + value.length + 1;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return concat([new TextEncoder().encode(String(length)), name, value, Uint8Array.of(NEWLINE)]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
