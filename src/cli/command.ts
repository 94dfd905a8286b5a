import type { Context } from "./context.ts";
import { parseFlags } from "./flag-parser.ts";
import type { FlagSpecs, FlagValues } from "./flags.ts";
import { UsageError } from "./usage-error.ts";

export interface CommandSpec<F extends FlagSpecs> {
  /** What follows the name in its usage line: `[OPTIONS] CONTAINER [CONTAINER...]`. */
  readonly usage: string;
  /** For help, where one sentence is not enough; else the catalogue's summary stands there. */
  readonly about?: string;
  /** How many arguments; `max` absent: any number from `min`. */
  readonly arguments: { readonly min: number; readonly max?: number };
  readonly flags: F;
  /** Flags end at the first argument, for commands whose arguments hold a command line. */
  readonly optionsFirst?: boolean;
  /** The exit code for what goes wrong in `run`; 1 unless said (125 for run). */
  readonly failureCode?: number;
  /** Puts `darse: ` before errors and the way to help after them, as run does. */
  readonly isVerboseInFailure?: boolean;
  /** @returns the exit code */
  run(args: readonly string[], flags: FlagValues<F>, context: CommandContext): Promise<number> | number;
}

/** What a command gets: the world, and how it was called. */
export interface CommandContext extends Context {
  /** As typed, without aliases resolved: `container ls`. */
  readonly path: string;
  /** Names of the flags that were given. */
  readonly given: ReadonlySet<string>;
}

/** A declared command, whatever its flags. */
export interface Command {
  readonly usage: string;
  readonly about: string | undefined;
  readonly flags: FlagSpecs;
  readonly failureCode: number;
  readonly isVerboseInFailure: boolean;
  /** @throws {FlagError} {UsageError} before anything is done */
  prepare(path: string, argv: readonly string[]): Prepared;
}

export type Prepared =
  | { readonly kind: "help" }
  | { readonly kind: "run"; run(context: Context): Promise<number> };

/** Declares a command: help, completion and parsing come from `spec`. */
export function command<const F extends FlagSpecs>(spec: CommandSpec<F>): Command {
  return {
    usage: spec.usage,
    about: spec.about,
    flags: spec.flags,
    failureCode: spec.failureCode ?? 1,
    isVerboseInFailure: spec.isVerboseInFailure ?? false,
    prepare(path, argv) {
      const { flags, args, given, wantsHelp } = parseFlags(spec.flags, argv, {
        optionsFirst: spec.optionsFirst ?? false,
      });
      if (wantsHelp) return { kind: "help" };
      checkCount(path, args.length, spec.arguments);
      return {
        kind: "run",
        run: async (context) => await spec.run(args, flags, { ...context, path, given }),
      };
    },
  };
}

/** Docker's own texts (cli/cli/required.go). */
function checkCount(
  path: string,
  count: number,
  limits: { readonly min: number; readonly max?: number },
): void {
  const { min, max = Number.POSITIVE_INFINITY } = limits;
  if (count >= min && count <= max) return;
  const plural = (number: number): string => (number === 1 ? "argument" : "arguments");
  let text = `requires at least ${min} and at most ${max} arguments`;
  if (max === 0) text = "accepts no arguments";
  else if (min === max) text = `requires ${min} ${plural(min)}`;
  else if (count < min) text = `requires at least ${min} ${plural(min)}`;
  else if (min === 0) text = `requires at most ${max} ${plural(max)}`;
  throw new UsageError(`'darse ${path}' ${text}`);
}
