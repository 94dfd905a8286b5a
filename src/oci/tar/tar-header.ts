import { EngineError } from "#base/errors.ts";
import { decodeName } from "#base/file-name.ts";
import { BLOCK_BYTES, type DeviceNumber } from "./tar-entry.ts";

/*
 * One header block, 512 bytes:
 *
 *   0 name 100 | 100 mode 8 | 108 uid 8 | 116 gid 8 | 124 size 12 | 136 mtime 12 | 148 checksum 8 | 156 type 1
 *   157 link name 100 | 257 magic 6 + version 2 | 265 user 32 | 297 group 32 | 329 major 8 | 337 minor 8
 *   345 prefix 155 (131 and two times in star's dialect; other things in GNU's)
 *
 * Numbers are octal text, or base-256 with the first bit set (GNU).
 */

/** A header block taken apart, before extended headers have their say. */
export interface TarHeader {
  readonly typeFlag: string;
  readonly name: string;
  readonly linkName: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: bigint;
  readonly device: DeviceNumber;
}

/** Filled by GNU tar's own dialect, where the prefix field holds other things. */
const GNU_MAGIC = "ustar  \0";
const CHECKSUM_OFFSET = 148;
const CHECKSUM_BYTES = 8;

export function isZeroBlock(block: Uint8Array): boolean {
  for (let index = 0; index < BLOCK_BYTES; index++) if (block[index] !== 0) return false;
  return true;
}

/** @throws {EngineError} invalid when the checksum or a number is wrong. */
export function decodeHeader(block: Uint8Array): TarHeader {
  checkSum(block);
  const magic = String.fromCharCode(...block.subarray(257, 265));
  const name = text(block, 0, 100);
  const prefix = magic.startsWith("ustar\0") ? text(block, 345, isStar(block) ? 131 : 155) : "";
  return {
    typeFlag: String.fromCharCode(block[156] ?? 0),
    name: prefix === "" ? name : `${prefix}/${name}`,
    linkName: text(block, 157, 100),
    mode: small(block, 100, 8, "mode") & 0o7777,
    uid: small(block, 108, 8, "uid"),
    gid: small(block, 116, 8, "gid"),
    size: small(block, 124, 12, "size"),
    mtimeSeconds: number(block, 136, 12, "mtime"),
    device:
      magic.startsWith("ustar\0") || magic === GNU_MAGIC
        ? { major: small(block, 329, 8, "device"), minor: small(block, 337, 8, "device") }
        : { major: 0, minor: 0 },
  };
}

/** Sum of all bytes, the checksum field counted as spaces. */
export function headerChecksum(block: Uint8Array): number {
  let sum = CHECKSUM_BYTES * 0x20;
  for (let index = 0; index < BLOCK_BYTES; index++) sum += block[index] ?? 0;
  for (let index = CHECKSUM_OFFSET; index < CHECKSUM_OFFSET + CHECKSUM_BYTES; index++)
    sum -= block[index] ?? 0;
  return sum;
}

/** Some old writers summed signed bytes; both are taken, as every reader does. */
function checkSum(block: Uint8Array): void {
  const found = number(block, CHECKSUM_OFFSET, CHECKSUM_BYTES, "checksum");
  const unsigned = headerChecksum(block);
  if (found === BigInt(unsigned)) return;
  let high = 0;
  for (let index = 0; index < BLOCK_BYTES; index++) {
    const isField = index >= CHECKSUM_OFFSET && index < CHECKSUM_OFFSET + CHECKSUM_BYTES;
    if (!isField && (block[index] ?? 0) > 0x7f) high++;
  }
  if (found !== BigInt(unsigned - 256 * high)) {
    throw new EngineError(
      "invalid",
      "Cannot read tar: wrong header checksum; it is no tar archive or is damaged",
    );
  }
}

function isStar(block: Uint8Array): boolean {
  return String.fromCharCode(...block.subarray(508, 512)) === "tar\0";
}

function text(block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return decodeName(end < 0 ? field : field.subarray(0, end));
}

/** A number that is neither negative nor beyond what JavaScript holds exactly. */
function small(block: Uint8Array, offset: number, length: number, what: string): number {
  const value = number(block, offset, length, what);
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new EngineError("invalid", `Cannot read tar: ${what} ${value} is out of range`);
  }
  return Number(value);
}

function number(block: Uint8Array, offset: number, length: number, what: string): bigint {
  const first = block[offset] ?? 0;
  if ((first & 0x80) !== 0) return base256(block.subarray(offset, offset + length), first);
  let value = 0;
  let index = offset;
  const end = offset + length;
  while (index < end && (block[index] === 0x20 || block[index] === 0)) index++;
  for (; index < end; index++) {
    const digit = (block[index] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  if (index < end && block[index] !== 0 && block[index] !== 0x20) {
    throw new EngineError("invalid", `Cannot read tar: wrong ${what} in a header`);
  }
  return BigInt(value);
}

/** Two's complement, big endian, the first bit being the mark. */
function base256(field: Uint8Array, first: number): bigint {
  const isNegative = (first & 0x40) !== 0;
  let value = isNegative ? BigInt(first) - 0x100n : BigInt(first & 0x7f);
  for (let index = 1; index < field.length; index++) value = (value << 8n) | BigInt(field[index] ?? 0);
  return value;
}
