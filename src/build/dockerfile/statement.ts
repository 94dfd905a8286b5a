import type { Position, Range } from "./source.ts";

/** Where a run of characters of a statement's text comes from. */
interface Segment {
  readonly offset: number;
  readonly line: number;
  readonly column: number;
}

/** An inline file: `<<EOF` … `EOF`. */
export interface Heredoc {
  readonly name: string;
  /** False when the word was quoted: the body is then taken as it is. */
  readonly isExpanded: boolean;
  /** `<<-`: leading tabs are not part of the body. */
  readonly stripsTabs: boolean;
  /** The body as written, each line with its newline, leading tabs included. */
  readonly body: string;
  readonly range: Range;
}

/** The body without the leading tabs that `<<-` takes away. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.stripsTabs ? heredoc.body.replace(/^\t+/gm, "") : heredoc.body;
}

/**
 * One instruction's text with its continuation lines joined, which still knows where each character stood. Offsets
 * are into `text`.
 */
export class Statement {
  readonly text: string;
  readonly heredocs: readonly Heredoc[];
  readonly #segments: readonly Segment[];

  constructor(text: string, segments: readonly Segment[], heredocs: readonly Heredoc[]) {
    this.text = text;
    this.#segments = segments;
    this.heredocs = heredocs;
  }

  range(start: number, end: number): Range {
    const first = this.#position(start);
    const last = end > start ? this.#position(end - 1) : first;
    return { start: first, end: { line: last.line, column: last.column + (end > start ? 1 : 0) } };
  }

  /** The whole statement, without its heredoc bodies. */
  get extent(): Range {
    return this.range(0, this.text.length);
  }

  #position(offset: number): Position {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#segments[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low];
    if (segment === undefined) return { line: 1, column: 1 };
    return { line: segment.line, column: segment.column + (offset - segment.offset) };
  }
}

/** Collects the pieces of a statement. */
export class StatementBuilder {
  readonly #pieces: string[] = [];
  readonly #segments: Segment[] = [];
  #length = 0;

  add(text: string, line: number, column: number): void {
    this.#segments.push({ offset: this.#length, line, column });
    this.#pieces.push(text);
    this.#length += text.length;
  }

  build(heredocs: (text: Statement) => readonly Heredoc[]): Statement {
    const text = this.#pieces.join("").trimEnd();
    const bare = new Statement(text, this.#segments, []);
    const found = heredocs(bare);
    return found.length === 0 ? bare : new Statement(text, this.#segments, found);
  }
}
