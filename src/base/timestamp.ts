import { EngineError } from "./errors.ts";
import { parseDuration } from "./duration.ts";

/**
 * `--since` and `--until` as the API has them, `seconds.nanoseconds`: a duration back from now (`42m`), seconds since
 * the epoch, RFC 3339, or a date and time of the local zone.
 *
 * @throws {EngineError} invalid
 */
export function parseTimestamp(text: string, nowMs: number): string {
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  if (/^[+-]?[\d.]+[a-zµμ]/.test(text))
    return fromNanoseconds(BigInt(nowMs) * 1_000_000n - BigInt(parseDuration(text)));
  const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d(?:\.(\d{1,9}))?)?)?))?(Z|[+-]\d\d:\d\d)?$/.exec(
    text,
  );
  if (!match) throw invalid(text);
  const [, date = "", time = "00:00:00", fraction = "", zone = ""] = match;
  const padded = time
    .replace(/\..*/, "")
    .padEnd(8, "x")
    .replace(/^(\d\d)x+$/, "$1:00:00")
    .replace(/^(\d\d:\d\d)x+$/, "$1:00");
  const ms = Date.parse(`${date}T${padded}${zone}`);
  if (Number.isNaN(ms)) throw invalid(text);
  return fromNanoseconds(BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, "0")));
}

function fromNanoseconds(nanoseconds: bigint): string {
  const seconds = nanoseconds / 1_000_000_000n;
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}`;
}

function invalid(text: string): EngineError {
  return new EngineError(
    "invalid",
    `Cannot parse time "${text}": it must be like 2026-01-02T15:04:05Z, 42m or 1767366245`,
  );
}
