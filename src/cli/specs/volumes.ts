import { resolve } from "node:path";
import { EngineError } from "#base/errors.ts";
import { cutAt } from "./key-values.ts";

export interface Volumes {
  /** `source:target[:options]`, sources that begin with a dot made absolute. */
  readonly binds: readonly string[];
  /** Targets of anonymous volumes. */
  readonly anonymous: Readonly<Record<string, Record<string, never>>>;
}

/**
 * `--volume`: `/target`, `name:/target`, `/host:/target:ro`, `./here:/target`. What the parts may be the engine says.
 *
 * @throws {EngineError} invalid for what has no such form, in Docker's words
 */
export function parseVolumes(entries: readonly string[], workingDirectory: string): Volumes {
  const binds: string[] = [];
  const anonymous: Record<string, Record<string, never>> = {};
  for (const entry of entries) {
    const parts = entry.split(":");
    if (entry === "") throw new EngineError("invalid", "invalid empty volume spec");
    if (parts.length > 3) throw new EngineError("invalid", `invalid spec: ${entry}: too many colons`);
    if (parts.some((part) => part === "")) {
      throw new EngineError("invalid", `invalid spec: ${entry}: empty section between colons`);
    }
    const [source = "", target] = parts;
    if (target === undefined) {
      anonymous[source] = {};
      continue;
    }
    binds.push(
      source.startsWith(".") ? [resolve(workingDirectory, source), ...parts.slice(1)].join(":") : entry,
    );
  }
  return { binds, anonymous };
}

/** `--tmpfs /run:size=64m` */
export function parseTmpfs(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries.map((entry) => {
      const [path, options = ""] = cutAt(entry, ":");
      return [path, options];
    }),
  );
}
