/** What Go's `%v` prints for a value of JSON: `map[a:1]`, `[x y]`, `{v1 v2}`, `<nil>`; `<no value>` for nothing. */
export function printValue(value: unknown): string {
  if (value === undefined) return "<no value>";
  return printInner(value);
}

function printInner(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(printInner).join(" ")}]`;
  if (typeof value === "string") return value;
  if (typeof value !== "object") return JSON.stringify(value) ?? "<nil>";
  if (isStruct(value)) return `{${Object.values(value).map(printInner).join(" ")}}`;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, entry]) => `${key}:${printInner(entry)}`).join(" ")}]`;
}

/** Go's truth: false, 0, "", nil and empty collections are not. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return isStruct(value) || Object.keys(value).length > 0;
  return Boolean(value);
}

/** An object that stands for one of the API's structs, not for a map with names of users: every key is `PascalCase`. */
export function isStruct(value: object): boolean {
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[A-Z][A-Za-z0-9]*$/.test(key));
}
