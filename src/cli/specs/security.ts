import { EngineError, errorMessage } from "#base/errors.ts";
import { cutAt, type ReadText } from "./key-values.ts";

export interface Security {
  readonly options: readonly string[];
  /** `systempaths=unconfined`: nothing in /proc and /sys is masked. */
  readonly hasOpenSystemPaths: boolean;
}

/** `--security-opt`: a seccomp profile is sent by its content, as the engine cannot read our files. */
export function parseSecurityOptions(entries: readonly string[], read: ReadText): Security {
  const options: string[] = [];
  let hasOpenSystemPaths = false;
  for (const entry of entries) {
    const [key, value] = cutAt(entry, entry.includes("=") ? "=" : ":");
    if (entry === "systempaths=unconfined") hasOpenSystemPaths = true;
    else if (value === undefined && key !== "no-new-privileges") {
      throw new EngineError("invalid", `invalid --security-opt: "${entry}"`);
    } else if (key === "seccomp" && value !== "unconfined" && value !== "builtin") {
      options.push(`seccomp=${profile(value ?? "", read)}`);
    } else options.push(entry);
  }
  return { options, hasOpenSystemPaths };
}

function profile(path: string, read: ReadText): string {
  const text = read(path);
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new EngineError(
      "invalid",
      `compacting json for seccomp profile (${path}) failed: ${errorMessage(error)}`,
    );
  }
}
