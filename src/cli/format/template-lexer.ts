import { EngineError } from "#base/errors.ts";

/** Text between actions, or the words of one `{{ action }}`. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly tokens: readonly Token[] };

export interface Token {
  readonly kind: "field" | "variable" | "word" | "string" | "number" | "mark";
  /** Without the dot of a field; the value of a string. */
  readonly text: string;
  /** Nothing stood between this token and the one before: `(x).Field`, `$v.Field`. */
  readonly isJoined: boolean;
}

/** Splits a Go template at its actions; `{{-` and `-}}` trim, `{{/* … *\/}}` is dropped. @throws {EngineError} invalid */
export function lexTemplate(source: string): Part[] {
  const parts: Part[] = [];
  let rest = source;
  while (rest !== "") {
    const open = rest.indexOf("{{");
    if (open === -1) {
      parts.push({ kind: "text", text: rest });
      break;
    }
    const trimsBefore = /^\{\{-\s/.test(rest.slice(open));
    const text = rest.slice(0, open);
    parts.push({ kind: "text", text: trimsBefore ? text.trimEnd() : text });
    const { tokens, end } = lexAction(rest, open + (trimsBefore ? 3 : 2));
    if (tokens.length > 0) parts.push({ kind: "action", tokens });
    const close = rest.slice(end);
    rest = close.startsWith("-}}") ? close.slice(3).trimStart() : close.slice(2);
  }
  return parts.filter((part) => part.kind === "action" || part.text !== "");
}

/** ASCII only: classes such as `\p{L}` take 5 ms to compile, and no field of the API needs them. */
const TOKENS: readonly (readonly [Token["kind"], RegExp])[] = [
  ["string", /"(?:[^"\\\n]|\\.)*"/y],
  ["string", /`[^`]*`/y],
  ["string", /'(?:[^'\\\n]|\\.)'/y],
  ["field", /\.[A-Za-z_]\w*/y],
  ["variable", /\$\w*/y],
  ["number", /[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/y],
  ["word", /[A-Za-z_]\w*/y],
  ["mark", /:=|[=|(),.]/y],
];

function lexAction(source: string, start: number): { tokens: Token[]; end: number } {
  const tokens: Token[] = [];
  let at = start;
  for (;;) {
    const space = /\s*/y;
    space.lastIndex = at;
    const gap = space.exec(source)?.[0].length ?? 0;
    at += gap;
    if (source.startsWith("}}", at) || (source.startsWith("-}}", at) && gap > 0)) return { tokens, end: at };
    if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at);
      if (end === -1) throw new EngineError("invalid", "template parsing error: unclosed comment");
      at = end + 2;
      continue;
    }
    if (at >= source.length) throw new EngineError("invalid", "template parsing error: unclosed action");
    const [kind, text] = nextToken(source, at);
    tokens.push({ kind, text: tokenValue(kind, text), isJoined: gap === 0 && tokens.length > 0 });
    at += text.length;
  }
}

function nextToken(source: string, at: number): [Token["kind"], string] {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match) return [kind, match[0]];
  }
  const found = source.slice(at, at + 1);
  throw new EngineError("invalid", `template parsing error: unexpected "${found}" in operand`);
}

function tokenValue(kind: Token["kind"], text: string): string {
  if (kind === "field") return text.slice(1);
  if (kind !== "string") return text;
  if (text.startsWith("`")) return text.slice(1, -1);
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
  return text
    .slice(1, -1)
    .replace(
      /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/gs,
      (_, unicode?: string, hex?: string, plain?: string) =>
        plain === undefined
          ? String.fromCharCode(Number.parseInt(unicode ?? hex ?? "0", 16))
          : (escapes[plain] ?? plain),
    );
}
