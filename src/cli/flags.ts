/** What every flag of a command says about itself; parsing, help and completion come from it. */
export interface FlagSpec {
  /**
   * bool `--x`, `--x=false`; list: repeatable; strings: repeatable and split at commas; bytes `512m` → bytes; duration
   * `1m30s` → nanoseconds; decimal `1.5`; the rest as named.
   */
  readonly type: "bool" | "string" | "int" | "list" | "strings" | "bytes" | "duration" | "decimal";
  /** One letter, without its dash. */
  readonly short?: string;
  readonly help: string;
  /** The word for the value in help; by default the type. */
  readonly metavar?: string;
  /** Only bools have a default other than "not given". */
  readonly default?: boolean;
  /** What help shows as `(default …)`. */
  readonly defaultText?: string;
  /** Understood, but not in help. */
  readonly hidden?: boolean;
}

/** By variable name: `stopTimeout` declares `--stop-timeout`. */
export type FlagSpecs = Readonly<Record<string, FlagSpec>>;

type ValueOf<S extends FlagSpec> = S["type"] extends "bool"
  ? boolean
  : S["type"] extends "list" | "strings"
    ? readonly string[]
    : S["type"] extends "string"
      ? string | undefined
      : number | undefined;

/** Parsed values: bools and lists always have one, the rest are `undefined` when not given. */
export type FlagValues<F extends FlagSpecs> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** `stopTimeout` → `stop-timeout` */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The same flags in the order of help: by name. */
export function sortFlags<F extends FlagSpecs>(flags: F): F {
  const sorted = Object.fromEntries(
    Object.entries(flags).toSorted(([a], [b]) => (flagName(a) < flagName(b) ? -1 : 1)),
  );
  // The same keys and values in another order.
  return sorted as F;
}
