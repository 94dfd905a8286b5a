import type { ProgressMessage } from "#api/images.ts";
import { EngineError } from "#base/errors.ts";
import { humanSize } from "#base/sizes.ts";
import type { Output } from "./output.ts";

export interface ProgressOptions {
  /** Values of `aux` lines, such as the id of a built image. */
  onAux?(aux: unknown): void;
}

/**
 * Prints pull, load, import and build progress: on a terminal one line for each layer that is redrawn in place,
 * elsewhere each change of state once.
 *
 * @throws {EngineError} internal with the engine's message when the stream reports a failure
 */
export async function showProgress(
  messages: AsyncIterable<ProgressMessage>,
  output: Output,
  options: ProgressOptions = {},
): Promise<void> {
  const lines = new Map<string, number>();
  for await (const message of messages) {
    if (message.errorDetail || message.error !== undefined) {
      throw new EngineError("internal", message.errorDetail?.message ?? message.error ?? "unknown error");
    }
    if (message.aux !== undefined) options.onAux?.(message.aux);
    if (message.stream !== undefined) output.write(message.stream);
    else if (message.status !== undefined) {
      if (output.isTerminal && message.id !== undefined) redraw(output, lines, message);
      else printOnce(output, message);
    }
  }
}

function printOnce(output: Output, message: ProgressMessage): void {
  if ((message.progressDetail?.current ?? 0) > 0) return;
  output.write(`${message.id ? `${message.id}: ` : ""}${message.status}\n`);
}

/** Moves up to the line of the id, writes it anew, and moves back down. */
function redraw(output: Output, lines: Map<string, number>, message: ProgressMessage): void {
  const id = message.id ?? "";
  const known = lines.get(id);
  const at = known ?? lines.size;
  if (known === undefined) {
    lines.set(id, at);
    output.write("\n");
  }
  const up = lines.size - at;
  const text = `${id}: ${message.status} ${progressBar(message, output.columns())}`.trimEnd();
  output.write(`\x1b[${up}A\x1b[2K\r${text}\r\x1b[${up}B`);
}

/** `[====>     ]  1.5MB/10MB`; the bar only where there is room. */
function progressBar(message: ProgressMessage, columns: number): string {
  const { current = 0, total = 0 } = message.progressDetail ?? {};
  if (current <= 0 && total <= 0) return "";
  if (total <= 0 || current > total) return humanSize(current).padStart(8);
  const half = Math.floor((current / total) * 50);
  const bar = columns > 110 ? `[${"=".repeat(half)}>${" ".repeat(50 - half)}] ` : "";
  return `${bar}${humanSize(current).padStart(8)}/${humanSize(total)}`;
}
