import { alignTable } from "./table.ts";
import type { Template } from "./template.ts";

/** A row's values by column name; functions are methods: `{{.Label "x"}}`. What is dear to make is a getter. */
export type Row = Readonly<Record<string, unknown>>;

export interface ListFormat {
  /** Header by column name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The columns that are printed without `--format`. */
  readonly columns: readonly string[];
  /** The column of `--quiet`; `ID` unless said. */
  readonly quietColumn?: string;
}

export interface ListOptions {
  readonly format: string | undefined;
  /** Only the column that names the objects. */
  readonly isQuiet: boolean;
}

/**
 * What a list command prints: its table, `--quiet`, `--format json`, `--format 'table …'` or a template a row. The
 * template engine is loaded only when a template is given.
 */
export async function renderList(
  list: ListFormat,
  rows: readonly Row[],
  { format, isQuiet }: ListOptions,
): Promise<string> {
  const source = unescape(format ?? "");
  if (source === "" || source === "table") return isQuiet ? quietLines(list, rows) : plainTable(list, rows);
  if (source === "json") return rows.map((row) => `${JSON.stringify(plainValues(row))}\n`).join("");
  const { Template } = await import("./template.ts");
  if (source.startsWith("table ")) {
    return templateTable(list, new Template(source.slice("table ".length).trim()), rows);
  }
  const template = new Template(source);
  return rows.map((row) => `${template.render(row)}\n`).join("");
}

function plainTable({ headers, columns }: ListFormat, rows: readonly Row[]): string {
  const line = (row: Row): string => columns.map((name) => String(row[name])).join("\t");
  return alignTable([line(headers), ...rows.map(line)]);
}

function quietLines({ quietColumn = "ID" }: ListFormat, rows: readonly Row[]): string {
  return rows.map((row) => `${String(row[quietColumn])}\n`).join("");
}

function templateTable({ headers }: ListFormat, template: Template, rows: readonly Row[]): string {
  const headline = template.render({ ...headers, Label: (key: unknown) => String(key).split(".").at(-1) });
  return alignTable([headline, ...rows.map((row) => template.render(row))]);
}

/** A row as JSON has it: its columns without its methods. */
function plainValues(row: Row): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value !== "function"));
}

/** A shell hands `\t` over as two characters. */
function unescape(format: string): string {
  return format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}
