import type { Context } from "./context.ts";

/** Warns and asks on standard input; true for `y` and `yes`. Docker's words (cli/command/utils.go). */
export async function confirm(context: Context, warning: string): Promise<boolean> {
  context.out.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  let line = "";
  for await (const part of context.input) {
    line += new TextDecoder().decode(part);
    if (line.includes("\n") || line.length > 64) break;
  }
  return /^(y|yes)\r?$/i.test(line.split("\n", 1)[0]?.trim() ?? "");
}
