import { EngineError } from "#base/errors.ts";

/** A place in a Dockerfile; both count from 1, columns in UTF-16 units as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** From `start` up to, not including, `end`. */
export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** The text of one Dockerfile and the name that messages call it by. */
export interface Source {
  readonly name: string;
  /** Without line endings. */
  readonly lines: readonly string[];
}

export interface SourceErrorOptions {
  readonly cause?: unknown;
  readonly hint?: string;
}

/** Longest part of a source line that a message shows. */
const SNIPPET_WIDTH = 120;

/**
 * A mistake in the text: Docker's sentence, then the file, the line and a caret under the word at fault.
 *
 *     dockerfile parse error on line 3: unknown instruction: RUNN (did you mean RUN?)
 *     Dockerfile:3:1
 *       3 | RUNN true
 *         | ^^^^
 */
export function parseError(
  source: Source,
  range: Range,
  message: string,
  options?: SourceErrorOptions,
): EngineError {
  return errorAt(source, range, `dockerfile parse error on line ${range.start.line}: ${message}`, options);
}

/** As `parseError`, with a first sentence of the caller's own. */
export function errorAt(
  source: Source,
  range: Range,
  message: string,
  options: SourceErrorOptions = {},
): EngineError {
  return new EngineError("invalid", `${message}\n${snippet(source, range)}`, options);
}

function snippet(source: Source, { start, end }: Range): string {
  const text = printable(source.lines[start.line - 1] ?? "");
  const last = end.line === start.line ? Math.max(end.column, start.column + 1) : text.length + 1;
  const from = Math.max(0, Math.min(start.column - 1, text.length) - SNIPPET_WIDTH / 2);
  const shown = text.slice(from, from + SNIPPET_WIDTH);
  const number = String(start.line);
  const before = Math.max(0, start.column - 1 - from);
  const width = Math.max(1, Math.min(last - start.column, SNIPPET_WIDTH - before));
  return [
    `${source.name}:${start.line}:${start.column}`,
    `  ${number} | ${shown}`,
    `  ${" ".repeat(number.length)} | ${" ".repeat(before)}${"^".repeat(width)}`,
  ].join("\n");
}

/** Control characters as blanks: a message must not steer the terminal that shows it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, " ");
}
