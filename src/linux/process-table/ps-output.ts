import { EngineError } from "#base/errors.ts";

/** Processes by line, under their titles; every line has as many cells as there are titles. */
export interface ProcessTable {
  readonly titles: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/**
 * Refuses options of `ps` that call another column `PID`: lines are picked by that column, and one that a process can
 * fill would pick lines of processes that are not asked for. Docker's daemon/top_unix.go.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function checkPsOptions(options: string): void {
  for (const [, name, title] of ` ${options}`.matchAll(/\s+(\S*)=\s*(PID\S*)/g)) {
    if (name !== "pid") {
      throw new EngineError("invalid", `specifying "${name}=${title}" is not allowed`);
    }
  }
}

/**
 * The lines of `ps` that belong to `pids`: the last column takes what is left of its line, and a line of a thread (`-`
 * for its pid) goes with the process above it.
 *
 * @throws {EngineError} invalid when there is no column PID, or a line has no number in it; Docker's words
 */
export function parsePsOutput(output: string, pids: ReadonlySet<number>): ProcessTable {
  const [head = "", ...lines] = output.split("\n");
  const titles = words(head);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) throw new EngineError("invalid", "Couldn't find PID field in ps output");
  const rows: string[][] = [];
  let isWanted = false;
  for (const line of lines) {
    const cells = words(line);
    if (cells.length === 0) continue;
    const pid = cells[pidColumn] ?? "";
    if (pid !== "-") isWanted = pids.has(asPid(pid));
    if (isWanted) rows.push(fit(cells, titles.length));
  }
  return { titles, rows };
}

function asPid(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new EngineError("invalid", `Unexpected pid '${text}'`);
}

function fit(cells: readonly string[], count: number): string[] {
  return [...cells.slice(0, count - 1), cells.slice(count - 1).join(" ")];
}

/** Blanks of ASCII alone divide: a process may have others in its name. */
function words(line: string): string[] {
  return line.split(/[ \t\n\v\f\r]+/).filter((word) => word !== "");
}
