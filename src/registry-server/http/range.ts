import { Fault } from "../fault.ts";

/** Bytes from `start` to `end`, both included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that a `Range` header asks of `size` bytes; `undefined` where the whole is the answer: no header, a
 * unit or form we do not know, several ranges. RFC 9110, section 14.
 *
 * @throws {Fault} RANGE_INVALID when it lies outside
 */
export function requestedRange(header: string | undefined, size: number): ByteRange | undefined {
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "") ?? [];
  if (first === "" && last === "") return undefined;
  const isSuffix = first === "";
  const start = isSuffix ? Math.max(0, size - Number(last)) : Number(first);
  const end = isSuffix || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (!isSuffix && last !== "" && Number(last) < start) return undefined;
  if (start <= end) return { start, end };
  throw new Fault("RANGE_INVALID", `the range "${header}" is outside of ${size} bytes`, {
    headers: { "Content-Range": `bytes */${size}` },
  });
}

/**
 * Where a chunk says that it belongs; `undefined` when it does not say. OCI distribution-spec, "Pushing a blob in
 * chunks": no unit, both ends included; the form of RFC 9110 is taken too, since there are clients that send it.
 *
 * @throws {Fault} RANGE_INVALID
 */
export function chunkRange(header: string | undefined): ByteRange | undefined {
  if (header === undefined) return undefined;
  const [, first, last] = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header) ?? [];
  const range = { start: Number(first), end: Number(last) };
  if (first !== undefined && range.start <= range.end) return range;
  throw new Fault("RANGE_INVALID", `"${header.slice(0, 100)}" is no range of a chunk`);
}
