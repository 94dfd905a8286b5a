import { closeSync, constants, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";

/** What conmon is told over the FIFO `ctl`: a line of three numbers. conmon src/ctrl.c. */
export type ControlMessage =
  | { readonly kind: "resize"; readonly rows: number; readonly columns: number }
  | { readonly kind: "reopen-log" };

/**
 * Tells the conmon whose files lie in `directory`; false when it has ended.
 *
 * `reopen-log` has it open `<log>.tmp` and rename that over its log: what it wrote before is gone unless the file has
 * another name (`reopen_k8s_file` in conmon src/ctr_logging.c).
 */
export function sendControl(directory: string, message: ControlMessage): boolean {
  try {
    const fd = openSync(join(directory, "ctl"), constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      writeSync(fd, encode(message));
      return true;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENXIO", "EPIPE")) return false;
    throw error;
  }
}

function encode(message: ControlMessage): string {
  return message.kind === "resize" ? `1 ${message.rows} ${message.columns}\n` : "2 0 0\n";
}
