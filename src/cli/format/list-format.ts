import { alignTable } from "./table.ts";
import { Template } from "./template.ts";

/** A row's values by column name; functions are methods: `{{.Label "x"}}`. What is dear to make is a getter. */
export type Row = Readonly<Record<string, unknown>>;

export interface ListFormat {
  /** Header by column name. */
  readonly headers: Readonly<Record<string, string>>;
  /** The template of the table that is printed without `--format`, tabs between cells. */
  readonly table: string;
  /** The template of `--quiet`. */
  readonly quiet: string;
}

export interface ListOptions {
  readonly format: string | undefined;
  readonly isQuiet: boolean;
}

/** What a list command prints: its table, `--quiet`, `--format json`, `--format 'table …'` or a template a row. */
export function renderList(list: ListFormat, rows: readonly Row[], options: ListOptions): string {
  const format = unescape(options.format ?? "");
  if (options.isQuiet && (format === "" || format === "table")) return renderRows(list.quiet, rows);
  if (format === "" || format === "table") return renderTable(list, list.table, rows);
  if (format === "json") return rows.map((row) => `${JSON.stringify(plainValues(row))}\n`).join("");
  if (format.startsWith("table ")) return renderTable(list, format.slice("table ".length).trim(), rows);
  return renderRows(format, rows);
}

/** `{{json .}}` of a row: its columns without its methods. */
export function plainValues(row: Row): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => typeof value !== "function"));
}

function renderRows(source: string, rows: readonly Row[]): string {
  const template = new Template(source);
  return rows.map((row) => `${template.render(row)}\n`).join("");
}

function renderTable(list: ListFormat, source: string, rows: readonly Row[]): string {
  const template = new Template(source);
  const header = { ...list.headers, Label: (key: unknown) => String(key).split(".").at(-1) };
  const headline = template.render(header);
  return alignTable([headline, ...rows.map((row) => template.render(row))]);
}

/** A shell hands `\t` over as two characters. */
function unescape(format: string): string {
  return format.replaceAll("\\t", "\t").replaceAll("\\n", "\n");
}
