import { EngineError } from "#base/errors.ts";
import { sendControl } from "./control-fifo.ts";

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

const MAX_CELLS = 0xffff;

/** Asks the conmon whose files lie in `directory` to set its terminal's size; nothing when it has ended. */
export function sendSize(directory: string, { rows, columns }: TerminalSize): void {
  if (![rows, columns].every((cells) => Number.isInteger(cells) && cells >= 0 && cells <= MAX_CELLS)) {
    throw new EngineError(
      "invalid",
      `Cannot set the terminal's size to ${columns}x${rows}: at most ${MAX_CELLS}`,
    );
  }
  sendControl(directory, { kind: "resize", rows, columns });
}
