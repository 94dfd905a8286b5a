import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** conmon's `WIN_RESIZE_EVENT`. A line on its FIFO `ctl` is `<event> <height> <width>`. */
const RESIZE = 1;
const MAX_CELLS = 0xffff;

/** Asks the conmon whose files lie in `directory` to set its terminal's size; nothing when it has ended. */
export function sendSize(directory: string, { rows, columns }: TerminalSize): void {
  if (![rows, columns].every((cells) => Number.isInteger(cells) && cells >= 0 && cells <= MAX_CELLS)) {
    throw new EngineError(
      "invalid",
      `Cannot set the terminal's size to ${columns}x${rows}: at most ${MAX_CELLS}`,
    );
  }
  try {
    const fd = openSync(join(directory, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, `${RESIZE} ${rows} ${columns}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENXIO", "EPIPE")) throw error;
  }
}
