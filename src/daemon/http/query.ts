import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";

/** A flag in a query: empty, 0, no, false and none are false, every other text is true. [moby httputils/form.go] */
export function booleanQuery(query: URLSearchParams, name: string): boolean {
  const value = (query.get(name) ?? "").trim().toLowerCase();
  return !["", "0", "no", "false", "none"].includes(value);
}

/** A whole number, `undefined` when absent or empty. @throws {EngineError} invalid for other text */
export function integerQuery(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  if (!/^-?\d{1,15}$/.test(value))
    throw new EngineError(
      "invalid",
      `Cannot read query parameter ${name}="${value}": it must be a whole number`,
    );
  return Number(value);
}

/**
 * The `filters` parameter: `{"key":["a","b"]}`, or the old `{"key":{"a":true}}`.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function filtersQuery(
  query: URLSearchParams,
  name = "filters",
): ReadonlyMap<string, readonly string[]> {
  const text = query.get(name);
  if (text === null || text === "") return new Map();
  try {
    const filters = new Fields({ filters: parseJson(text, "filters") }).map("filters", (value) => {
      if (Array.isArray(value)) return value.map(String);
      return [...(new Fields({ value }).map("value", Boolean) ?? [])]
        .filter(([, isOn]) => isOn)
        .map(([key]) => key);
    });
    return filters ?? new Map();
  } catch (error) {
    throw new EngineError("invalid", "invalid filter", { cause: error });
  }
}

/** `seconds[.nanoseconds]` since the epoch, as nanoseconds; `undefined` when absent. @throws {EngineError} invalid */
export function timestampQuery(query: URLSearchParams, name: string): bigint | undefined {
  const value = query.get(name);
  if (value === null || value === "") return undefined;
  const match = /^(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(value);
  if (match) return BigInt(match[1] ?? 0) * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
  const parsed = Date.parse(value);
  if (Number.isNaN(parsed))
    throw new EngineError("invalid", `Cannot read query parameter ${name}="${value}": it must be a time`);
  return BigInt(parsed) * 1_000_000n;
}
