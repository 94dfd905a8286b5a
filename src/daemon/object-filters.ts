import { EngineError } from "#base/errors.ts";
import { type Filters, hasLabel } from "#container/list-filters.ts";

/** @throws {EngineError} invalid for a key that is not one of `known` */
export function checkKeys(filters: Filters, known: readonly string[]): void {
  const unknown = [...filters.keys()].find((key) => !known.includes(key));
  if (unknown !== undefined) throw new EngineError("invalid", `invalid filter '${unknown}'`);
}

/** A filter that is a claim: `1`, `true`, `0` or `false`. @throws {EngineError} invalid for another value, or two that disagree */
export function isOn(key: string, values: readonly string[]): boolean {
  const claims = new Set(values.map((value) => value.toLowerCase()));
  const wantsTrue = claims.has("1") || claims.has("true");
  const wantsFalse = claims.has("0") || claims.has("false");
  const others = [...claims].filter((value) => !["0", "1", "true", "false"].includes(value));
  if (others.length > 0 || wantsTrue === wantsFalse) {
    throw new EngineError("invalid", `invalid filter '${key}=[${values.join(" ")}]'`);
  }
  return wantsTrue;
}

/** `label` (every one of them) and `label!` (none of them): `key` or `key=value`. */
export function matchesLabels(labels: ReadonlyMap<string, string>, filters: Filters): boolean {
  return (
    (filters.get("label") ?? []).every((wanted) => hasLabel(labels, wanted)) &&
    !(filters.get("label!") ?? []).some((wanted) => hasLabel(labels, wanted))
  );
}
