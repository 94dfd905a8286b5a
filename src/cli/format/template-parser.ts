import { EngineError } from "#base/errors.ts";
import { lexTemplate, type Token } from "./template-lexer.ts";

/** One operand with the fields taken from it: `.A.B`, `$x.A`, `(index .L 0).A`, `"text"`. */
export interface Operand {
  readonly base:
    | { readonly kind: "dot" }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "literal"; readonly value: string | number | boolean | null }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "group"; readonly pipeline: Pipeline };
  readonly fields: readonly string[];
}

/** `function operand operand`, or one operand, or a method with arguments. */
export type CommandNode = readonly Operand[];

export interface Pipeline {
  readonly commands: readonly CommandNode[];
  /** `$x := …` and `$i, $x := …` */
  readonly variables: readonly string[];
  /** `$x = …`: of a variable that exists. */
  readonly isAssignment: boolean;
}

export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly pipeline: Pipeline }
  | Block
  | { readonly kind: "break" | "continue" };

export interface Block {
  readonly kind: "if" | "with" | "range";
  readonly pipeline: Pipeline;
  readonly body: readonly Node[];
  readonly otherwise: readonly Node[];
}

interface Reader {
  readonly parts: ReturnType<typeof lexTemplate>;
  at: number;
  depth: number;
}

type Ending = "end" | "else" | "end of template";

/** Nesting beyond this is no template of a person. */
const MAX_DEPTH = 100;

/** The tree of a Go template (text/template without `define`, `template` and `block`). @throws {EngineError} invalid */
export function parseTemplate(source: string): readonly Node[] {
  const { nodes, ending } = parseNodes({ parts: lexTemplate(source), at: 0, depth: 0 });
  if (ending !== "end of template") throw failure(`unexpected {{${ending}}}`);
  return nodes;
}

function parseNodes(reader: Reader): { nodes: Node[]; ending: Ending; rest: readonly Token[] } {
  const nodes: Node[] = [];
  for (;;) {
    const part = reader.parts[reader.at++];
    if (!part) return { nodes, ending: "end of template", rest: [] };
    if (part.kind === "text") {
      nodes.push(part);
      continue;
    }
    const [first, ...rest] = part.tokens;
    const word = first?.kind === "word" ? first.text : "";
    if (word === "end" || word === "else") return { nodes, ending: word, rest };
    if (word === "if" || word === "with" || word === "range") nodes.push(parseBlock(reader, word, rest));
    else if (word === "break" || word === "continue") nodes.push({ kind: word });
    else if (word === "define" || word === "template" || word === "block") {
      throw failure(`{{${word}}} is not supported`);
    } else nodes.push({ kind: "output", pipeline: parsePipeline(part.tokens) });
  }
}

function parseBlock(reader: Reader, kind: "if" | "with" | "range", tokens: readonly Token[]): Node {
  if (++reader.depth > MAX_DEPTH) throw failure("it is nested too deeply");
  const pipeline = parsePipeline(tokens);
  const { nodes: body, ending, rest } = parseNodes(reader);
  let otherwise: readonly Node[] = [];
  if (ending === "else") {
    const [chained, ...condition] = rest;
    if (chained?.text === "if" || chained?.text === "with") {
      otherwise = [parseBlock(reader, chained.text, condition)];
    } else {
      const tail = parseNodes(reader);
      otherwise = tail.nodes;
      if (tail.ending !== "end") throw failure(`unexpected ${tail.ending}`);
    }
  } else if (ending !== "end") throw failure(`{{${kind}}} has no {{end}}`);
  reader.depth--;
  return { kind, pipeline, body, otherwise };
}

function parsePipeline(tokens: readonly Token[]): Pipeline {
  const cursor: Cursor = { tokens, at: 0, depth: 0 };
  const pipeline = readPipeline(cursor);
  if (cursor.at < tokens.length) throw failure(`unexpected "${tokens[cursor.at]?.text}"`);
  return pipeline;
}

interface Cursor {
  readonly tokens: readonly Token[];
  at: number;
  depth: number;
}

function readPipeline(cursor: Cursor): Pipeline {
  const isAssignment = cursor.tokens[cursor.at + 1]?.text === "=";
  const variables = readDeclaration(cursor);
  const commands: CommandNode[] = [readCommand(cursor)];
  while (isMark(cursor, "|")) {
    cursor.at++;
    commands.push(readCommand(cursor));
  }
  return { commands, variables, isAssignment };
}

function readDeclaration(cursor: Cursor): string[] {
  const ahead = cursor.tokens.slice(cursor.at, cursor.at + 4).map((token) => token.text);
  const [first = "", second, third, fourth] = ahead;
  if (!first.startsWith("$")) return [];
  if (second === ":=" || second === "=") {
    cursor.at += 2;
    return [first];
  }
  if (second === "," && fourth === ":=") {
    cursor.at += 4;
    return [first, third ?? ""];
  }
  return [];
}

function readCommand(cursor: Cursor): CommandNode {
  const operands: Operand[] = [];
  while (cursor.at < cursor.tokens.length && !isMark(cursor, "|") && !isMark(cursor, ")")) {
    operands.push(readOperand(cursor));
  }
  if (operands.length === 0) throw failure("missing value for command");
  return operands;
}

function readOperand(cursor: Cursor): Operand {
  const base = readBase(cursor);
  const fields: string[] = [];
  for (let token = cursor.tokens[cursor.at]; token?.kind === "field"; token = cursor.tokens[cursor.at]) {
    const isFirst = base.kind === "dot" && fields.length === 0 && cursor.tokens[cursor.at - 1]?.text !== ".";
    if (!token.isJoined && !isFirst) break;
    fields.push(token.text);
    cursor.at++;
  }
  return { base, fields };
}

function readBase(cursor: Cursor): Operand["base"] {
  const token = cursor.tokens[cursor.at];
  if (token === undefined) throw failure("unexpected end");
  if (token.kind === "field") return { kind: "dot" };
  cursor.at++;
  if (token.kind === "string") return { kind: "literal", value: token.text };
  if (token.kind === "number") return { kind: "literal", value: Number(token.text) };
  if (token.kind === "variable") return { kind: "variable", name: token.text };
  if (token.text === ".") return { kind: "dot" };
  if (token.text === "(") return readGroup(cursor);
  if (token.kind !== "word") throw failure(`unexpected "${token.text}" in operand`);
  const constants = new Map<string, boolean | null>([
    ["true", true],
    ["false", false],
    ["nil", null],
  ]);
  const value = constants.get(token.text);
  return value === undefined ? { kind: "function", name: token.text } : { kind: "literal", value };
}

function readGroup(cursor: Cursor): Operand["base"] {
  if (++cursor.depth > MAX_DEPTH) throw failure("it is nested too deeply");
  const pipeline = readPipeline(cursor);
  if (!isMark(cursor, ")")) throw failure("unclosed left paren");
  cursor.at++;
  cursor.depth--;
  return { kind: "group", pipeline };
}

function isMark(cursor: Cursor, text: string): boolean {
  const token = cursor.tokens[cursor.at];
  return token?.kind === "mark" && token.text === text;
}

function failure(text: string): EngineError {
  return new EngineError("invalid", `template parsing error: ${text}`);
}
