import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import { RUNTIME_LOG } from "./conmon-command.ts";

/** What the OCI runtime complained of in `directory`; empty when it did not. */
export function readRuntimeLog(directory: string): string {
  try {
    return readFileSync(join(directory, RUNTIME_LOG), "utf8").trim();
  } catch (error) {
    if (isErrno(error, "ENOENT")) return "";
    throw error;
  }
}
