import { EngineError } from "#base/errors.ts";
import { cutAt, type ReadText, readKeyValueFile } from "./key-values.ts";

export interface EnvSources {
  /** `--env-file`, in order. */
  readonly files: readonly string[];
  /** `--env`, in order; they come after the files. */
  readonly entries: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly read: ReadText;
}

/**
 * `Env` of a create request. `KEY` alone takes its value from our environment; when it has none there, a file's line is
 * dropped, and from `--env` it goes on as `KEY`, which removes the image's variable.
 *
 * @throws {EngineError} invalid
 */
export function resolveEnv(sources: EnvSources): string[] {
  const fromEnvironment = (entry: string): string | undefined => {
    const value = sources.env[entry];
    return value === undefined ? undefined : `${entry}=${value}`;
  };
  const fromFiles = sources.files.flatMap((path) =>
    readKeyValueFile(path, sources.read).flatMap((line) =>
      line.includes("=") ? line : (fromEnvironment(line) ?? []),
    ),
  );
  const given = sources.entries.map((entry) => {
    const [name, value] = cutAt(entry, "=");
    if (name === "") throw new EngineError("invalid", `invalid environment variable: ${entry}`);
    return value === undefined ? (fromEnvironment(entry) ?? entry) : entry;
  });
  return [...fromFiles, ...given];
}
