import type { Output } from "./output.ts";

/** Prints a remark apart from what a command says, indented under its head, in Docker's form. */
export function note(output: Output, text: string, head: "Info" | "Warn" = "Info"): void {
  const prefix = ` ${head} -> `;
  const rest = " ".repeat(prefix.length);
  const lines = text.split("\n").map((line, index) => `${index === 0 ? prefix : rest}${line}\n`);
  output.write(`\n${lines.join("")}`);
}
