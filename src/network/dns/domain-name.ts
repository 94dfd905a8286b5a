import { EngineError } from "#base/errors.ts";

/** RFC 1035, 4.1.1: no name lies within it. */
const HEADER_BYTES = 12;
/** RFC 1035, 2.3.4 and 4.1.4. */
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 255;
const POINTER = 0xc0;

/** A name as it was read. */
export interface ReadName {
  /** Labels in lower case with dots between, none at the end; empty for the root. What is not printable is `\ddd`. */
  readonly text: string;
  /** Where what follows the name begins. */
  readonly end: number;
}

/**
 * Reads the name at `at` of a message, pointers followed. Each pointer must lead to an earlier place than the one
 * before, so that no chain of them can turn in a circle; the name's length is bounded however it was written.
 *
 * @throws {EngineError} invalid
 */
export function readName(message: Uint8Array, at: number): ReadName {
  const labels: string[] = [];
  let end: number | undefined;
  let earliest = at;
  let bytes = 1;
  for (let position = at; ; ) {
    const length = byteAt(message, position);
    if (length === 0) return { text: labels.join("."), end: end ?? position + 1 };
    if (length >= POINTER) {
      const target = ((length & ~POINTER) << 8) | byteAt(message, position + 1);
      end ??= position + 2;
      if (target >= earliest || target < HEADER_BYTES)
        throw malformed("a pointer in a name does not lead back");
      earliest = position = target;
      continue;
    }
    if (length > MAX_LABEL_BYTES) throw malformed("a label is of an unknown kind");
    bytes += length + 1;
    if (bytes > MAX_NAME_BYTES) throw malformed("a name is too long");
    labels.push(labelText(message, position + 1, length));
    position += length + 1;
  }
}

/** The bytes of a name given with dots between its labels. @throws {EngineError} invalid */
export function encodeName(text: string): Uint8Array {
  const labels = text.split(".").filter((label) => label !== "");
  const bytes: number[] = [];
  for (const label of labels) {
    const encoded = new TextEncoder().encode(label);
    if (encoded.length > MAX_LABEL_BYTES) throw malformed(`the label ${JSON.stringify(label)} is too long`);
    bytes.push(encoded.length, ...encoded);
  }
  bytes.push(0);
  if (bytes.length > MAX_NAME_BYTES) throw malformed(`the name ${JSON.stringify(text)} is too long`);
  return Uint8Array.from(bytes);
}

/** The address that a name of the reverse tree stands for (`2.0.19.172.in-addr.arpa`), as text; else `undefined`. */
export function reverseAddress(name: string): string | undefined {
  const ipv4 = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(name)?.[1];
  if (ipv4 !== undefined) {
    const parts = ipv4.split(".").slice(0, 4);
    return parts.every((part) => Number(part) <= 255) ? parts.toReversed().join(".") : undefined;
  }
  const ipv6 = /^((?:[\da-f]\.){32})ip6\.arpa$/.exec(name)?.[1];
  if (ipv6 === undefined) return undefined;
  const digits = ipv6.replaceAll(".", "").split("").toReversed().join("");
  return (digits.match(/.{4}/g) ?? []).join(":");
}

function labelText(message: Uint8Array, at: number, length: number): string {
  let text = "";
  for (let i = at; i < at + length; i++) {
    const byte = byteAt(message, i);
    if (byte >= 0x41 && byte <= 0x5a) text += String.fromCharCode(byte + 0x20);
    else if (byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c) text += String.fromCharCode(byte);
    else text += `\\${String(byte).padStart(3, "0")}`;
  }
  return text;
}

function byteAt(message: Uint8Array, at: number): number {
  const byte = message[at];
  if (byte === undefined) throw malformed("it ends within a name");
  return byte;
}

function malformed(what: string): EngineError {
  return new EngineError("invalid", `Cannot read DNS message: ${what}`);
}
