import type { Command } from "../command.ts";

/** `Hidden`: for other programs, not in help. */
export type Section = "Common Commands" | "Commands" | "Hidden";

/** Where a command stands in help, and how its file is loaded: only the one that is called is. */
export interface CatalogEntry {
  /** Every full name, in Docker's order of aliases. */
  readonly paths: readonly string[];
  readonly summary: string;
  readonly section: Section;
  readonly load: () => Promise<Command>;
}

export const common: Section = "Common Commands";

/** @param paths every full name, divided by `, ` */
export const entry = (
  paths: string,
  summary: string,
  load: CatalogEntry["load"],
  section: Section = "Commands",
): CatalogEntry => ({ paths: paths.split(", "), summary, section, load });
