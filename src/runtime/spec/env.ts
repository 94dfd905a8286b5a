/** moby daemon/pkg/oci/defaults.go. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface EnvInput {
  readonly hostname?: string;
  readonly tty: boolean;
  /** Of the resolved user; set as HOME where `env` does not set one. */
  readonly home: string;
  /** `KEY=value` replaces in place or appends; a bare `KEY` takes the variable away. */
  readonly env: readonly string[];
}

/** The environment of a process in Docker's order: PATH, HOSTNAME, TERM, the configured variables, HOME. */
export function assembleEnv(input: EnvInput): string[] {
  const defaults = [`PATH=${DEFAULT_PATH}`];
  if (input.hostname) defaults.push(`HOSTNAME=${input.hostname}`);
  if (input.tty) defaults.push("TERM=xterm");
  const env = overrideEnv(defaults, input.env);
  if (!env.some((entry) => entry.startsWith("HOME="))) env.push(`HOME=${input.home}`);
  return env;
}

/** moby daemon/container/env.go `ReplaceOrAppendEnvVars`: later wins, in the place of the earlier. */
export function overrideEnv(defaults: readonly string[], overrides: readonly string[]): string[] {
  const entries = new Map(defaults.map((entry) => [keyOf(entry), entry]));
  for (const entry of overrides) {
    if (entry.includes("=")) entries.set(keyOf(entry), entry);
    else entries.delete(entry);
  }
  return [...entries.values()];
}

function keyOf(entry: string): string {
  return entry.split("=", 1)[0] ?? entry;
}
