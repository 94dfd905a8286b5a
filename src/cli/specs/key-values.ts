import { EngineError } from "#base/errors.ts";

/** Reads the text of a file of the user; the caller names it in errors. */
export type ReadText = (path: string) => string;

/** `k=v` and `k` (empty value), the last of equal keys counts: labels, sysctls, options. */
export function parseKeyValues(entries: readonly string[]): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  for (const entry of entries) {
    const [key, value] = cutAt(entry, "=");
    values[key] = value ?? "";
  }
  return values;
}

/** The same, but every entry must have its `=`. @throws {EngineError} invalid, naming `flag` */
export function parseStrictKeyValues(entries: readonly string[], flag: string): Record<string, string> {
  for (const entry of entries) {
    if (!entry.includes("=")) {
      throw new EngineError("invalid", `Cannot use ${flag} "${entry}": it must be key=value`);
    }
  }
  return parseKeyValues(entries);
}

/** Lines of an env or label file: blank lines and comments dropped. @throws {EngineError} invalid */
export function readKeyValueFile(path: string, read: ReadText): string[] {
  const lines = read(path)
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line) => line.trimStart())
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of lines) {
    const [key] = cutAt(line, "=");
    if (key === "")
      throw new EngineError("invalid", `Cannot read ${path}: no variable name on line '${line}'`);
    if (/\s/.test(key))
      throw new EngineError("invalid", `Cannot read ${path}: variable '${key}' contains whitespaces`);
  }
  return lines;
}

/** What stands before and after the first `separator`; `undefined` after it when there is none. */
export function cutAt(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** The fields of one line of CSV, quotes understood (Go's `encoding/csv`). @throws {EngineError} invalid */
export function parseCsv(line: string): string[] {
  const fields: string[] = [];
  let rest = line;
  for (;;) {
    const quoted = /^"((?:[^"]|"")*)"(,|$)/.exec(rest);
    const plain = quoted ? undefined : /^([^",]*)(,|$)/.exec(rest);
    const match = quoted ?? plain;
    if (!match) throw new EngineError("invalid", `parse error: bare " in non-quoted field: ${line}`);
    fields.push((match[1] ?? "").replaceAll('""', '"'));
    if (match[2] !== ",") return fields;
    rest = rest.slice(match[0].length);
  }
}
