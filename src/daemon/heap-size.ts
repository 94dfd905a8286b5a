import { replaceProcess } from "#linux/replace-process.ts";
import { selfCommand } from "#linux/self.ts";

/**
 * How much memory JavaScriptCore is to think the machine has. By what the machine really has it would let garbage lie
 * until the heap is many times what is in use: a pull came to 180 MB with its workers, and to 140 so, in the same time.
 * It is read once, before any code runs.
 */
const VARIABLE = "BUN_JSC_forceRAMSize";
const BYTES = 96 * 1024 * 1024;

/** Begins the engine anew, as the same process, in an environment that keeps it and its workers small. Once. */
export function limitHeap(args: readonly string[]): void {
  if (process.env[VARIABLE] !== undefined) return;
  const env = Object.fromEntries(
    Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
  replaceProcess(selfCommand("daemon", ...args), { ...env, [VARIABLE]: String(BYTES) });
}
