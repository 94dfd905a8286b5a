import { nearMatch } from "#base/near-match.ts";
import { errorMessage } from "#base/errors.ts";
import { type FlagSpec, type FlagSpecs, type FlagValues, flagName } from "./flags.ts";
import { parseBytes } from "./specs/bytes.ts";
import { parseDecimal } from "./specs/decimal.ts";
import { parseDuration } from "#base/duration.ts";

/** A command line that does not follow the declaration; the texts are those of Docker's flag package (spf13/pflag). */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

export interface ParsedFlags<F extends FlagSpecs> {
  readonly flags: FlagValues<F>;
  /** Names (as in `F`) of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  readonly wantsHelp: boolean;
}

export interface ParseOptions {
  /** Flags end at the first argument: what follows belongs to the container. */
  readonly optionsFirst: boolean;
}

interface State {
  readonly specs: FlagSpecs;
  readonly byName: ReadonlyMap<string, string>;
  readonly byShort: ReadonlyMap<string, string>;
  readonly values: Map<string, unknown>;
  wantsHelp: boolean;
}

/** @throws {FlagError} */
export function parseFlags<F extends FlagSpecs>(
  specs: F,
  argv: readonly string[],
  options: ParseOptions,
): ParsedFlags<F> {
  const keys = Object.keys(specs);
  const state: State = {
    specs,
    byName: new Map(keys.map((key) => [flagName(key), key])),
    byShort: new Map(keys.flatMap((key) => (specs[key]?.short ? [[specs[key].short, key]] : []))),
    values: new Map(),
    wantsHelp: false,
  };
  const args: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (word === "--") {
      args.push(...argv.slice(i + 1));
      break;
    }
    if (word.startsWith("--")) i += readLong(state, word, argv[i + 1]);
    else if (word.startsWith("-") && word !== "-") i += readShorts(state, word, argv[i + 1]);
    else if (options.optionsFirst) {
      args.push(...argv.slice(i));
      break;
    } else args.push(word);
  }
  return {
    flags: complete(specs, state.values),
    given: new Set(state.values.keys()),
    args,
    wantsHelp: state.wantsHelp,
  };
}

/** How many further words `word` took: 0 or 1. */
function readLong(state: State, word: string, next: string | undefined): 0 | 1 {
  const equals = word.indexOf("=");
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  if (name === "" || name.startsWith("-")) throw new FlagError(`bad flag syntax: ${word}`);
  const key = state.byName.get(name);
  const spec = key === undefined ? undefined : state.specs[key];
  if (key === undefined || spec === undefined) {
    if (name !== "help") throw unknownFlag(state, name);
    state.wantsHelp = true;
    return 0;
  }
  if (equals !== -1) {
    set(state, key, word.slice(equals + 1));
    return 0;
  }
  if (spec.type === "bool") {
    set(state, key, "true");
    return 0;
  }
  if (next === undefined) throw new FlagError(`flag needs an argument: --${name}`);
  set(state, key, next);
  return 1;
}

/** `-it`, `-p80:80`, `-p=80:80`, `-p 80:80`, `-d=false` */
function readShorts(state: State, word: string, next: string | undefined): 0 | 1 {
  for (let i = 1; i < word.length; i++) {
    const letter = word.charAt(i);
    const key = state.byShort.get(letter);
    const spec = key === undefined ? undefined : state.specs[key];
    if (key === undefined || spec === undefined) {
      if (letter !== "h") throw new FlagError(`unknown shorthand flag: '${letter}' in ${word}`);
      state.wantsHelp = true;
      continue;
    }
    const rest = word.slice(i + 1);
    if (rest.startsWith("=") && rest.length > 1) {
      set(state, key, rest.slice(1));
      return 0;
    }
    if (spec.type === "bool") {
      set(state, key, "true");
      continue;
    }
    const value = rest === "" ? next : rest;
    if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in ${word}`);
    set(state, key, value);
    return rest === "" ? 1 : 0;
  }
  return 0;
}

function set(state: State, key: string, text: string): void {
  const spec = state.specs[key];
  if (!spec) return;
  try {
    if (spec.type === "list" || spec.type === "strings") {
      const before = state.values.get(key);
      const more = spec.type === "list" ? [text] : text.split(",").map((part) => part.trim());
      state.values.set(key, Array.isArray(before) ? [...before, ...more] : more);
    } else state.values.set(key, parseValue(spec.type, text));
  } catch (error) {
    const shown = spec.short ? `-${spec.short}, --${flagName(key)}` : `--${flagName(key)}`;
    throw new FlagError(`invalid argument "${text}" for "${shown}" flag: ${errorMessage(error)}`);
  }
}

function parseValue(type: Exclude<FlagSpec["type"], "list" | "strings">, text: string): unknown {
  switch (type) {
    case "bool":
      return parseBool(text);
    case "int":
      if (!/^[+-]?\d{1,15}$/.test(text)) throw new FlagError(`parsing "${text}": invalid syntax`);
      return Number(text);
    case "bytes":
      return parseBytes(text);
    case "duration":
      return parseDuration(text);
    case "decimal":
      return parseDecimal(text);
    case "string":
      return text;
  }
}

/** The words of Go's `strconv.ParseBool`. */
function parseBool(text: string): boolean {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new FlagError(`parsing "${text}": invalid syntax`);
}

function complete<F extends FlagSpecs>(specs: F, values: ReadonlyMap<string, unknown>): FlagValues<F> {
  const flags: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries<FlagSpec>(specs)) {
    const value = values.get(key);
    if (spec.type === "bool") flags[key] = value ?? spec.default ?? false;
    else if (spec.type === "list" || spec.type === "strings") flags[key] = value ?? [];
    else flags[key] = value;
  }
  // `set` stored under each key what its type says, and the loop has filled in the rest.
  return flags as FlagValues<F>;
}

function unknownFlag(state: State, name: string): FlagError {
  const near = nearMatch(name, [...state.byName.keys(), "help"]);
  return new FlagError(`unknown flag: --${name}${near === undefined ? "" : `\nDid you mean --${near}?`}`);
}
