import { ParameterPattern, PatternTooCostly } from "./parameter-pattern.ts";

/** Values of variables; `undefined` when a name is not set. */
export type Lookup = (name: string) => string | undefined;

/** What is wrong with a word, without its place: the caller knows that. */
export class ExpansionError extends Error {}

/** Nothing in an image may be longer; stops texts that double with every instruction. */
const MAX_EXPANDED = 1024 * 1024;

/** Deepest `${a:-${b:-…}}`. */
const MAX_DEPTH = 64;

/** `$name`, `"$name"` and all forms of `${…}` replaced, quotes and escapes taken away. @throws {ExpansionError} */
export function expand(text: string, escape: string, lookup: Lookup): string {
  return expandPieces(text, escape, lookup)
    .map(({ value }) => value)
    .join("");
}

/** As `expand`; blanks that are not quoted, also those that a variable brings, split the result into words. */
export function expandWords(text: string, escape: string, lookup: Lookup): string[] {
  const words: string[] = [];
  let current: string | undefined;
  for (const { value, isQuoted } of expandPieces(text, escape, lookup)) {
    if (isQuoted) {
      current = (current ?? "") + value;
      continue;
    }
    value.split(/[ \t\n\r\v\f]+/).forEach((part, index) => {
      if (index > 0 && current !== undefined) words.push(current);
      if (index > 0) current = undefined;
      if (part !== "") current = (current ?? "") + part;
    });
  }
  return current === undefined ? words : [...words, current];
}

interface Piece {
  readonly value: string;
  readonly isQuoted: boolean;
}

function expandPieces(text: string, escape: string, lookup: Lookup): Piece[] {
  return new Expansion(text, escape, lookup).run();
}

class Expansion {
  readonly #text: string;
  readonly #escape: string;
  readonly #lookup: Lookup;
  #index = 0;
  #length = 0;
  #depth = 0;

  constructor(text: string, escape: string, lookup: Lookup) {
    this.#text = text;
    this.#escape = escape;
    this.#lookup = lookup;
  }

  run(): Piece[] {
    return this.#until("");
  }

  /** Reads until `stop`, which is taken, or the end when `stop` is empty. */
  #until(stop: string): Piece[] {
    const pieces: Piece[] = [];
    const add = (value: string, isQuoted: boolean): void => {
      pieces.push({ value: this.#count(value), isQuoted });
    };
    while (this.#index < this.#text.length) {
      const character = this.#text[this.#index] ?? "";
      if (character === stop) {
        this.#index++;
        return pieces;
      }
      if (character === "'") add(this.#singleQuoted(), true);
      else if (character === '"') add(this.#doubleQuoted(), true);
      else if (character === "$") add(this.#dollar(), false);
      else if (character === this.#escape) {
        this.#index++;
        add(this.#text[this.#index++] ?? "", true);
      } else add(this.#plain(stop), false);
    }
    if (stop !== "")
      throw new ExpansionError(`unexpected end of statement while looking for matching ${stop}`);
    return pieces;
  }

  #count(value: string): string {
    this.#length += value.length;
    if (this.#length > MAX_EXPANDED) {
      throw new ExpansionError(`the value grows beyond ${MAX_EXPANDED} characters`);
    }
    return value;
  }

  /** A run without anything special in it. */
  #plain(stop: string): string {
    const start = this.#index;
    for (; this.#index < this.#text.length; this.#index++) {
      const character = this.#text[this.#index];
      if (character === "'" || character === '"' || character === "$") break;
      if (character === this.#escape || character === stop) break;
    }
    return this.#text.slice(start, this.#index);
  }

  #singleQuoted(): string {
    const end = this.#text.indexOf("'", this.#index + 1);
    if (end < 0) {
      throw new ExpansionError("unexpected end of statement while looking for matching single-quote");
    }
    const value = this.#text.slice(this.#index + 1, end);
    this.#index = end + 1;
    return value;
  }

  #doubleQuoted(): string {
    let value = "";
    this.#index++;
    while (this.#index < this.#text.length) {
      const character = this.#text[this.#index] ?? "";
      if (character === '"') {
        this.#index++;
        return value;
      }
      if (character === "$") {
        value += this.#dollar();
      } else if (character === this.#escape && this.#index + 1 < this.#text.length) {
        const next = this.#text[this.#index + 1] ?? "";
        const isSpecial = next === '"' || next === "$" || next === this.#escape;
        value += isSpecial ? next : character + next;
        this.#index += 2;
      } else {
        value += character;
        this.#index++;
      }
    }
    throw new ExpansionError("unexpected end of statement while looking for matching double-quote");
  }

  #dollar(): string {
    this.#index++;
    if (this.#text[this.#index] !== "{") {
      const name = this.#name();
      return name === "" ? "$" : this.#count(this.#lookup(name) ?? "");
    }
    this.#index++;
    if (++this.#depth > MAX_DEPTH)
      throw new ExpansionError(`more than ${MAX_DEPTH} substitutions inside each other`);
    const value = this.#count(this.#braced());
    this.#depth--;
    return value;
  }

  #braced(): string {
    const name = this.#name();
    if (name === "") throw new ExpansionError("bad substitution: a name must follow ${");
    const operator = this.#text[this.#index++] ?? "";
    const value = this.#lookup(name);
    switch (operator) {
      case "}":
        return value ?? "";
      case ":": {
        const modifier = this.#text[this.#index++] ?? "";
        if (!"+-?".includes(modifier) || modifier === "") throw unsupported(`:${modifier}`);
        return this.#conditional(modifier, {
          name,
          value: value === "" ? undefined : value,
          states: "unset or empty",
        });
      }
      case "+":
      case "-":
      case "?":
        return this.#conditional(operator, { name, value, states: "unset" });
      case "#":
      case "%":
        return this.#cut(operator, value ?? "");
      case "/":
        return this.#replace(value ?? "");
      case "":
        throw new ExpansionError("syntax error: missing '}'");
      default:
        throw unsupported(operator);
    }
  }

  #conditional(
    modifier: string,
    { name, value, states }: { name: string; value: string | undefined; states: string },
  ): string {
    const word = this.#word("}");
    if (modifier === "+") return value === undefined ? "" : word;
    if (modifier === "-") return value ?? word;
    if (value !== undefined) return value;
    throw new ExpansionError(`${name}: ${word === "" ? `is not allowed to be ${states}` : word}`);
  }

  #cut(operator: "#" | "%", value: string): string {
    const isLongest = this.#text[this.#index] === operator;
    if (isLongest) this.#index++;
    const pattern = ParameterPattern.parse(this.#pattern("}"));
    const which = isLongest ? "longest" : "shortest";
    return guarded(() =>
      operator === "#" ? pattern.cutPrefix(value, which) : pattern.cutSuffix(value, which),
    );
  }

  #replace(value: string): string {
    const isAll = this.#text[this.#index] === "/";
    if (isAll) this.#index++;
    const pattern = ParameterPattern.parse(this.#pattern("/"));
    const replacement = this.#word("}");
    return guarded(() => pattern.replace(value, replacement, isAll ? "all" : "first"));
  }

  #word(stop: string): string {
    return this.#until(stop)
      .map(({ value }) => value)
      .join("");
  }

  /** A pattern: what is quoted or escaped in it stands for itself. */
  #pattern(stop: string): string {
    return this.#until(stop)
      .map(({ value, isQuoted }) => (isQuoted ? value.replace(/[\\*?]/g, "\\$&") : value))
      .join("");
  }

  /** A variable's name, a run of digits, or one of the shell's special characters; empty when there is none. */
  #name(): string {
    const pattern = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]/y;
    pattern.lastIndex = this.#index;
    const name = pattern.exec(this.#text)?.[0] ?? "";
    this.#index += name.length;
    return name;
  }
}

function unsupported(modifier: string): ExpansionError {
  return new ExpansionError(`unsupported modifier (${modifier}) in substitution`);
}

function guarded(work: () => string): string {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof PatternTooCostly)) throw error;
    throw new ExpansionError("the pattern takes too long to match");
  }
}
