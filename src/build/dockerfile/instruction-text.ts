import { type FlagTable, type Flags, type FlagValue, parseFlags } from "./flags.ts";
import type { Command, InstructionKind, Word } from "./instruction.ts";
import { parseJsonForm } from "./json-form.ts";
import { parseError, type Range, type Source } from "./source.ts";
import type { Statement } from "./statement.ts";
import { splitAtBlanks, splitWords, type TextWord } from "./word.ts";

/** A statement whose keyword is known: gives the arguments in the forms that instructions have. */
export class InstructionText {
  readonly statement: Statement;
  readonly kind: InstructionKind;
  readonly escape: string;
  /** Where the arguments begin, behind the flags once those are read. */
  argumentsAt: number;
  readonly #source: Source;

  constructor(
    source: Source,
    statement: Statement,
    options: { readonly kind: InstructionKind; readonly escape: string; readonly from: number },
  ) {
    this.#source = source;
    this.statement = statement;
    this.kind = options.kind;
    this.escape = options.escape;
    const rest = statement.text.slice(options.from);
    this.argumentsAt = options.from + rest.length - rest.trimStart().length;
  }

  get common(): { range: Range; text: string } {
    return { range: this.statement.extent, text: this.statement.text };
  }

  get rest(): string {
    return this.statement.text.slice(this.argumentsAt);
  }

  fail(message: string, range: Range = this.statement.extent): Error {
    return parseError(this.#source, range, message);
  }

  flags(table: FlagTable): Flags {
    const { flags, rest } = parseFlags(this.statement.text, this.argumentsAt, {
      table,
      context: {
        range: (start, end) => this.statement.range(start, end),
        fail: (range, message) => this.fail(message, range),
      },
    });
    this.argumentsAt = rest;
    return flags;
  }

  word({ text, start, end }: TextWord): Word {
    return { text, range: this.statement.range(start, end) };
  }

  /** Everything behind the flags as one word. */
  restWord(): Word {
    return { text: this.rest, range: this.statement.range(this.argumentsAt, this.statement.text.length) };
  }

  wordsAtBlanks(): Word[] {
    return splitAtBlanks(this.statement.text, this.argumentsAt).map((word) => this.word(word));
  }

  /** Words with their quotes. */
  quotedWords(): TextWord[] {
    return splitWords(this.statement.text, this.escape, this.argumentsAt);
  }

  /** `["a", "b"]`, or `undefined` for the shell form. */
  jsonStrings(): readonly string[] | undefined {
    const form = parseJsonForm(this.rest);
    if (form.kind === "not-strings") {
      throw this.fail(
        "When using JSON array syntax, arrays must be comprised of strings only.",
        this.restWord().range,
      );
    }
    return form.kind === "strings" ? form.strings : undefined;
  }

  command(): Command {
    const args = this.jsonStrings();
    if (args !== undefined) return { form: "exec", args };
    return { form: "shell", text: this.rest, heredocs: this.statement.heredocs };
  }

  /** The JSON form or words between blanks. JSON text has no expansion of its own to lose, so it is a word as well. */
  list(): Word[] {
    const strings = this.jsonStrings();
    if (strings === undefined) return this.wordsAtBlanks();
    const { range } = this.restWord();
    return strings.map((text) => ({ text, range }));
  }
}

/** A flag's value as a word. */
export function flagWord(value: FlagValue | undefined): Word | undefined {
  return value === undefined ? undefined : { text: value.text, range: value.range };
}
