import { type Directives, parseDirectives } from "./directives.ts";
import { type HeredocMark, parseHeredocMark, takesHeredocs } from "./heredoc.ts";
import { parseError, type Source } from "./source.ts";
import { type Heredoc, Statement, StatementBuilder } from "./statement.ts";
import { isBlank, splitWords } from "./word.ts";

/** The file as a list of statements: comments gone, continuation lines joined, inline files attached. */
export interface Statements {
  readonly directives: Directives;
  readonly statements: readonly Statement[];
  /** Numbers of the empty lines found inside continued statements. */
  readonly emptyContinuationLines: readonly number[];
}

/** Splits a Dockerfile into statements. @throws {EngineError} invalid */
export function readStatements(source: Source): Statements {
  const { directives, lineCount } = parseDirectives(source);
  const reader = new Reader(source, directives.escape, lineCount);
  const statements: Statement[] = [];
  for (let next = reader.next(); next !== undefined; next = reader.next()) statements.push(next);
  return { directives, statements, emptyContinuationLines: reader.emptyLines };
}

class Reader {
  readonly emptyLines: number[] = [];
  readonly #source: Source;
  readonly #escape: string;
  #index: number;

  constructor(source: Source, escape: string, index: number) {
    this.#source = source;
    this.#escape = escape;
    this.#index = index;
  }

  next(): Statement | undefined {
    for (; this.#index < this.#source.lines.length; this.#index++) {
      const line = this.#line();
      if (line.trim() !== "" && !isComment(line)) return this.#statement();
    }
    return undefined;
  }

  #line(): string {
    return this.#source.lines[this.#index] ?? "";
  }

  /** Joins the lines that begin at the current one. */
  #statement(): Statement {
    const builder = new StatementBuilder();
    let isFirst = true;
    for (; this.#index < this.#source.lines.length; this.#index++) {
      const line = this.#line();
      if (!isFirst && isComment(line)) continue;
      if (!isFirst && line.trim() === "") {
        this.emptyLines.push(this.#index + 1);
        continue;
      }
      const from = isFirst ? line.length - line.trimStart().length : 0;
      isFirst = false;
      const cut = continuationAt(line, this.#escape);
      builder.add(line.slice(from, cut ?? line.length), this.#index + 1, from + 1);
      if (cut === undefined) {
        this.#index++;
        break;
      }
    }
    return builder.build((statement) => this.#heredocs(statement));
  }

  #heredocs(statement: Statement): Heredoc[] {
    if (!statement.text.includes("<<") || !takesHeredocs(statement.text)) return [];
    const heredocs: Heredoc[] = [];
    for (const word of splitWords(statement.text, this.#escape)) {
      const mark = parseHeredocMark(word.text, this.#escape);
      if (mark !== undefined) heredocs.push(this.#body(mark, statement, word));
    }
    return heredocs;
  }

  #body(mark: HeredocMark, statement: Statement, word: { start: number; end: number }): Heredoc {
    const first = this.#index;
    const lines: string[] = [];
    for (; this.#index < this.#source.lines.length; this.#index++) {
      const line = this.#line();
      if ((mark.stripsTabs ? line.replace(/^\t+/, "") : line) === mark.name) {
        this.#index++;
        const end = { line: this.#index, column: line.length + 1 };
        return { ...mark, body: lines.join(""), range: { start: { line: first + 1, column: 1 }, end } };
      }
      lines.push(`${line}\n`);
    }
    throw parseError(
      this.#source,
      statement.range(word.start, word.end),
      `unterminated heredoc: no line holds ${mark.name} alone`,
    );
  }
}

function isComment(line: string): boolean {
  return line.trimStart().startsWith("#");
}

/** Where the escape that continues `line` stands, blanks after it allowed; a doubled escape continues nothing. */
function continuationAt(line: string, escape: string): number | undefined {
  let end = line.length;
  while (end > 0 && isBlank(line, end - 1)) end--;
  if (line[end - 1] !== escape || line[end - 2] === escape) return undefined;
  return end - 1;
}
