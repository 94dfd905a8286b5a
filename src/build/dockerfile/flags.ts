import { nearMatch } from "#base/near-match.ts";
import type { Range } from "./source.ts";
import { isBlank, type TextWord } from "./word.ts";

/** `bool` may stand without a value; `list` may be repeated. */
export type FlagType = "bool" | "string" | "list";

export type FlagTable = Readonly<Record<string, FlagType>>;

/** A flag's value with its place; quotes and escapes of the flag word are resolved. */
export interface FlagValue {
  readonly text: string;
  readonly range: Range;
}

/** The `--flag=value` words between an instruction and its arguments. */
export class Flags {
  readonly #values: ReadonlyMap<string, readonly FlagValue[]>;

  constructor(values: ReadonlyMap<string, readonly FlagValue[]>) {
    this.#values = values;
  }

  string(name: string): FlagValue | undefined {
    return this.#values.get(name)?.[0];
  }

  list(name: string): readonly FlagValue[] {
    return this.#values.get(name) ?? [];
  }

  boolean(name: string): boolean | undefined {
    const value = this.#values.get(name)?.[0];
    return value === undefined ? undefined : value.text !== "false";
  }
}

/** What reading flags needs to know of the statement they stand in. */
export interface FlagContext {
  range(start: number, end: number): Range;
  fail(range: Range, message: string): Error;
}

/**
 * Reads the flag words that begin at `from`.
 *
 * @returns the flags, and where the arguments begin
 * @throws {EngineError} invalid for a flag that the table does not have, one given twice, or a value of a wrong form
 */
export function parseFlags(
  text: string,
  from: number,
  options: { readonly table: FlagTable; readonly context: FlagContext },
): { flags: Flags; rest: number } {
  const values = new Map<string, FlagValue[]>();
  let index = skipBlanks(text, from);
  while (text.startsWith("--", index)) {
    const word = flagWord(text, index);
    index = skipBlanks(text, word.end);
    if (word.text === "--") break;
    addFlag(word, values, options);
  }
  return { flags: new Flags(values), rest: index };
}

function addFlag(
  word: TextWord,
  values: Map<string, FlagValue[]>,
  { table, context }: { readonly table: FlagTable; readonly context: FlagContext },
): void {
  const equals = word.text.indexOf("=");
  const name = equals < 0 ? word.text.slice(2) : word.text.slice(2, equals);
  const range = context.range(word.start, word.end);
  const type = Object.hasOwn(table, name) ? table[name] : undefined;
  if (type === undefined) {
    const near = nearMatch(name, Object.keys(table));
    const guess = near === undefined ? "" : ` (did you mean ${near}?)`;
    throw context.fail(range, `unknown flag: --${name}${guess}`);
  }
  const before = values.get(name);
  if (before !== undefined && type !== "list")
    throw context.fail(range, `duplicate flag specified: --${name}`);
  if (equals < 0 && type !== "bool") throw context.fail(range, `missing a value on flag: --${name}`);
  const text = equals < 0 ? "true" : word.text.slice(equals + 1);
  if (type === "bool" && !/^(?:true|false)$/i.test(text)) {
    throw context.fail(range, `expecting boolean value for flag --${name}, not: ${text}`);
  }
  const value = { text: type === "bool" ? text.toLowerCase() : text, range };
  if (before === undefined) values.set(name, [value]);
  else before.push(value);
}

/** One word with its quotes taken off; the escape is a backslash here whatever the directive says, as in BuildKit. */
function flagWord(text: string, start: number): TextWord {
  let quote = "";
  let result = "";
  let index = start;
  for (; index < text.length; index++) {
    const character = text[index] ?? "";
    if (quote === "" && isBlank(text, index)) break;
    if (character === "\\" && quote !== "'") result += text[++index] ?? "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === quote) quote = "";
    else result += character;
  }
  return { text: result, start, end: Math.min(index, text.length) };
}

export function skipBlanks(text: string, from: number): number {
  let index = from;
  while (index < text.length && isBlank(text, index)) index++;
  return index;
}
