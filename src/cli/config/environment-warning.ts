import type { Context } from "../context.ts";
import { note } from "../note.ts";
import { ENV_KEY } from "./credentials.ts";

/** What the environment says wins over what login and logout change: that is told. */
export function warnOfEnvironment({ env, error }: Pick<Context, "env" | "error">): void {
  if (!env[ENV_KEY]) return;
  note(
    error,
    `${ENV_KEY} is set and takes precedence.\nUnset ${ENV_KEY} to restore the CLI auth behaviour.\n`,
    "Warn",
  );
}
