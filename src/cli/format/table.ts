/** Columns are as wide as their widest cell and 3 more, at least 10 (Docker's tabwriter settings). */
const PADDING = 3;
const MIN_WIDTH = 10;

/** Lines whose cells are split by tabs, put in columns; the last cell of a line is not padded. */
export function alignTable(lines: readonly string[], minWidth = MIN_WIDTH): string {
  const rows = lines.map((line) => line.split("\t"));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries()) {
      widths[i] = Math.max(widths[i] ?? minWidth, cellWidth(cell) + PADDING);
    }
  }
  const pad = (cell: string, i: number): string =>
    cell + " ".repeat(Math.max(0, (widths[i] ?? 0) - cellWidth(cell)));
  return rows
    .map((row) => `${row.map((cell, i) => (i === row.length - 1 ? cell : pad(cell, i))).join("")}\n`)
    .join("");
}

/** Characters, not UTF-16 units. */
function cellWidth(text: string): number {
  let width = 0;
  for (const _ of text) width++;
  return width;
}
