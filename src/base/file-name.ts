/**
 * Linux names are bytes; ours are strings. Bytes that are not UTF-8 become lone surrogates U+DC80…U+DCFF, one a byte,
 * which no valid text holds, so that every name comes back from `encodeName` byte for byte (Python's "surrogateescape",
 * PEP 383).
 */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

/** The bytes of a name that `decodeName` gave, or of any text. */
export function encodeName(name: string): Uint8Array {
  if (name.isWellFormed()) return encoder.encode(name);
  const parts: Uint8Array[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Uint8Array.of(code - 0xdc00) : encoder.encode(character));
  }
  return Buffer.concat(parts);
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

function decodeEscaped(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    const part = bytes.subarray(at, at + Math.max(length, 1));
    text += length === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : strict.decode(part);
    at += part.length;
  }
  return text;
}

/** The length of the UTF-8 sequence that begins at `at`; 0 when none does. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    try {
      strict.decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      // A longer one may still be whole.
    }
  }
  return 0;
}
