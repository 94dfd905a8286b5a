import { EngineError } from "#base/errors.ts";
import { nearMatch } from "#base/near-match.ts";
import type { Directives } from "./directives.ts";
import { INSTRUCTION_KINDS, type Instruction, type InstructionKind } from "./instruction.ts";
import { InstructionText } from "./instruction-text.ts";
import { instructionParsers } from "./instruction-parsers.ts";
import { parseError, printable, type Source } from "./source.ts";
import { type Statement, StatementBuilder } from "./statement.ts";
import { readStatements } from "./statements.ts";

/** A Dockerfile as a syntax tree: what is written, checked for form, no variable replaced. */
export interface Dockerfile {
  readonly source: Source;
  readonly directives: Directives;
  readonly instructions: readonly Instruction[];
  /** Sentences for the person who builds; the build goes on. */
  readonly warnings: readonly string[];
}

/** Larger files are refused unread. */
export const MAX_DOCKERFILE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a Dockerfile. The grammar is BuildKit's (frontend/dockerfile/docs/reference.md); time and memory grow linearly
 * with the text.
 *
 * @param name what messages call the file
 * @throws {EngineError} invalid, naming the line and the word
 */
export function parseDockerfile(text: string, name = "Dockerfile"): Dockerfile {
  if (text.length > MAX_DOCKERFILE_BYTES) {
    throw new EngineError(
      "invalid",
      `Cannot read ${name}: ${text.length} characters are more than ${MAX_DOCKERFILE_BYTES}`,
    );
  }
  const source: Source = { name, lines: text.replace(/^\uFEFF/, "").split(/\r?\n/) };
  const { directives, statements, emptyContinuationLines } = readStatements(source);
  if (statements.length === 0) {
    throw new EngineError("invalid", `Cannot build from ${name}: file with no instructions`, {
      hint: "Begin with a base image, as in: FROM debian:bookworm",
    });
  }
  const instructions = statements.map((statement) => parseStatement(source, statement, directives.escape));
  checkOrder(source, instructions);
  const warnings = emptyContinuationLines.map(
    (line) => `Empty continuation line found in ${name} on line ${line}`,
  );
  return { source, directives, instructions, warnings };
}

/**
 * Reads one instruction that stands alone: an ONBUILD trigger of a base image, or a change of import or commit.
 *
 * @throws {EngineError} invalid
 */
export function parseInstruction(text: string, name: string): Instruction {
  const source: Source = { name, lines: text.split(/\r?\n/) };
  const { statements, directives } = readStatements(source);
  const [statement] = statements;
  if (statement === undefined || statements.length !== 1) {
    throw new EngineError(
      "invalid",
      `Cannot read "${printable(text.slice(0, 200))}" of ${name}: it is not one instruction`,
    );
  }
  return parseStatement(source, statement, directives.escape);
}

function parseStatement(source: Source, statement: Statement, escape: string): Instruction {
  const keyword = /^\S+/.exec(statement.text)?.[0] ?? "";
  const kind = findKind(keyword);
  if (kind === undefined) {
    const near = nearMatch(keyword, INSTRUCTION_KINDS);
    const guess = near === undefined ? "" : ` (did you mean ${near}?)`;
    const shown = printable(keyword.slice(0, 64)).toUpperCase();
    throw parseError(source, statement.range(0, keyword.length), `unknown instruction: ${shown}${guess}`);
  }
  const text = new InstructionText(source, statement, { kind, escape, from: keyword.length });
  if (kind === "ONBUILD") return parseOnbuild(text, source, escape);
  return instructionParsers[kind](text);
}

/** The trigger is read now, so that its mistakes are found in the file that holds them. */
function parseOnbuild(text: InstructionText, source: Source, escape: string): Instruction {
  const { statement } = text;
  const start = text.argumentsAt;
  const trigger = statement.text.slice(start);
  if (trigger === "") throw text.fail("ONBUILD requires at least one argument");
  const word = /^\S+/.exec(trigger)?.[0] ?? "";
  const range = statement.range(start, start + word.length);
  const upper = word.toUpperCase();
  if (upper === "ONBUILD")
    throw parseError(source, range, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (upper === "FROM" || upper === "MAINTAINER") {
    throw parseError(source, range, `${upper} isn't allowed as an ONBUILD trigger`);
  }
  const builder = new StatementBuilder();
  builder.add(trigger, range.start.line, range.start.column);
  parseStatement(
    source,
    builder.build(() => statement.heredocs),
    escape,
  );
  const bodies = statement.heredocs.map(({ name, body }) => `\n${body}${name}`).join("");
  return { ...text.common, kind: "ONBUILD", trigger: `${trigger}${bodies}` };
}

function findKind(keyword: string): InstructionKind | undefined {
  const upper = keyword.toUpperCase();
  return INSTRUCTION_KINDS.find((kind) => kind === upper);
}

/** Only ARG may stand before the first FROM, and there must be one. */
function checkOrder(source: Source, instructions: readonly Instruction[]): void {
  for (const instruction of instructions) {
    if (instruction.kind === "FROM") return;
    if (instruction.kind === "ARG") continue;
    throw parseError(
      source,
      instruction.range,
      `no build stage in current context: FROM must come before ${instruction.kind}`,
    );
  }
  throw new EngineError("invalid", `Cannot build from ${source.name}: no build stage, there is no FROM`, {
    hint: "Begin with a base image, as in: FROM debian:bookworm",
  });
}
