import { humanSize } from "#base/sizes.ts";
import type { Output } from "./output.ts";

/** What a prune has removed, and the space it has freed. @param heading `Deleted Volumes:` */
export function printPruneReport(
  out: Output,
  { heading, names, bytes }: { heading: string; names: readonly string[]; bytes: number },
): void {
  if (names.length > 0) out.write(`${heading}\n${names.map((name) => `${name}\n`).join("")}\n`);
  out.write(`Total reclaimed space: ${humanSize(bytes)}\n`);
}
