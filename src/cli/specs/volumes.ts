import { resolve } from "node:path";
import { EngineError } from "#base/errors.ts";
import { cutAt } from "./key-values.ts";

export interface Volumes {
  /** `source:target[:options]`, sources that begin with a dot made absolute. */
  readonly binds: readonly string[];
  /** Targets of anonymous volumes. */
  readonly anonymous: Readonly<Record<string, Record<string, never>>>;
}

/** `--volume`: `/target`, `name:/target`, `/host:/target:ro`, `./here:/target`. @throws {EngineError} invalid */
export function parseVolumes(entries: readonly string[], workingDirectory: string): Volumes {
  const binds: string[] = [];
  const anonymous: Record<string, Record<string, never>> = {};
  for (const entry of entries) {
    const parts = entry.split(":");
    if (entry === "" || parts.length > 3 || parts.some((part) => part === "")) {
      throw new EngineError("invalid", `invalid volume specification: '${entry}'`);
    }
    const [source = "", target] = parts;
    if (target === undefined) {
      checkTarget(source, entry);
      anonymous[source] = {};
      continue;
    }
    checkTarget(target, entry);
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

function checkTarget(path: string, entry: string): void {
  if (!path.startsWith("/")) {
    throw new EngineError(
      "invalid",
      `invalid volume specification: '${entry}': invalid mount config: mount path must be absolute`,
    );
  }
  if (resolve(path) === "/") {
    throw new EngineError("invalid", `invalid volume specification: '${entry}': destination can't be '/'`);
  }
}
