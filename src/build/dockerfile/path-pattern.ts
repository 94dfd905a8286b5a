import { EngineError } from "#base/errors.ts";

type Token =
  | { readonly kind: "text"; readonly character: string }
  /** `?`: one character, no slash. */
  | { readonly kind: "one" }
  /** `*`: any characters, no slash. */
  | { readonly kind: "star" }
  /** `**` before more: any number of whole directories, also none. */
  | { readonly kind: "directories" }
  /** `**` at the end: everything. */
  | { readonly kind: "rest" }
  | {
      readonly kind: "class";
      readonly isNegated: boolean;
      readonly ranges: readonly (readonly [string, string])[];
    };

const MAX_PATTERN = 4096;

/**
 * Go's `filepath.Match` patterns, with `**` when asked for (moby/patternmatcher). Matching follows all possibilities at
 * once, so its time is the product of both lengths whatever the pattern.
 */
export class PathPattern {
  readonly text: string;
  readonly #tokens: readonly Token[];
  /** What every match begins with. */
  readonly #prefix: string;
  readonly #isLiteral: boolean;

  private constructor(text: string, tokens: readonly Token[]) {
    this.text = text;
    this.#tokens = tokens;
    const special = tokens.findIndex((token) => token.kind !== "text");
    const literal = special < 0 ? tokens : tokens.slice(0, special);
    this.#prefix = literal.map((token) => (token.kind === "text" ? token.character : "")).join("");
    this.#isLiteral = special < 0;
  }

  /**
   * @param isDeep `**` spans directories
   * @throws {EngineError} invalid when a bracket is not closed
   */
  static compile(text: string, options: { readonly isDeep: boolean }): PathPattern {
    if (text.length > MAX_PATTERN) {
      throw new EngineError(
        "invalid",
        `Cannot read a pattern of ${text.length} characters: the limit is ${MAX_PATTERN}`,
      );
    }
    return new PathPattern(text, tokenize(text, options.isDeep));
  }

  matches(path: string): boolean {
    if (this.#isLiteral) return path === this.#prefix;
    if (!path.startsWith(this.#prefix)) return false;
    const start = this.#prefix.length;
    let states = this.#closure(new Set([start]), start === 0 || path[start - 1] === "/");
    for (let index = start; index < path.length && states.size > 0; index++) {
      const character = path[index] ?? "";
      states = this.#closure(this.#step(states, character), character === "/");
    }
    return states.has(this.#tokens.length);
  }

  #step(states: ReadonlySet<number>, character: string): Set<number> {
    const next = new Set<number>();
    for (const state of states) {
      const token = this.#tokens[state];
      if (token === undefined) continue;
      if (token.kind === "rest" || token.kind === "directories") next.add(state);
      else if (token.kind === "star") {
        if (character !== "/") next.add(state);
      } else if (takes(token, character)) next.add(state + 1);
    }
    return next;
  }

  /** Tokens that may match nothing; directories end only behind a slash, or where they began. */
  #closure(states: Set<number>, isBehindSlash: boolean): Set<number> {
    for (const state of states) {
      const kind = this.#tokens[state]?.kind;
      if (kind === "star" || kind === "rest" || (kind === "directories" && isBehindSlash))
        states.add(state + 1);
    }
    return states;
  }
}

/** True when `text` has a character that is special in a pattern. */
export function hasWildcard(text: string): boolean {
  return /[*?[\\]/.test(text);
}

function takes(token: Token, character: string): boolean {
  if (token.kind === "text") return token.character === character;
  if (character === "/") return false;
  if (token.kind === "one") return true;
  if (token.kind !== "class") return false;
  const isInside = token.ranges.some(([low, high]) => low <= character && character <= high);
  return isInside !== token.isNegated;
}

function tokenize(text: string, isDeep: boolean): Token[] {
  const tokens: Token[] = [];
  let index = 0;
  while (index < text.length) {
    const character = text[index] ?? "";
    if (character === "*") {
      const isDouble = isDeep && text[index + 1] === "*";
      index += isDouble ? 2 : 1;
      if (!isDouble) tokens.push({ kind: "star" });
      else {
        if (text[index] === "/") index++;
        tokens.push(index >= text.length ? { kind: "rest" } : { kind: "directories" });
      }
    } else if (character === "?") {
      tokens.push({ kind: "one" });
      index++;
    } else if (character === "[") {
      const { token, end } = characterClass(text, index);
      tokens.push(token);
      index = end;
    } else {
      const isEscape = character === "\\" && index + 1 < text.length;
      tokens.push({ kind: "text", character: isEscape ? (text[index + 1] ?? "") : character });
      index += isEscape ? 2 : 1;
    }
  }
  return tokens;
}

function characterClass(text: string, start: number): { token: Token; end: number } {
  let index = start + 1;
  const isNegated = text[index] === "^";
  if (isNegated) index++;
  const ranges: [string, string][] = [];
  const one = (): string => {
    if (text[index] === "\\") index++;
    const character = text[index++];
    if (character === undefined) throw new EngineError("invalid", `syntax error in pattern "${text}"`);
    return character;
  };
  while (text[index] !== "]" || ranges.length === 0) {
    const low = one();
    if (text[index] === "-" && text[index + 1] !== "]") {
      index++;
      ranges.push([low, one()]);
    } else ranges.push([low, low]);
  }
  return { token: { kind: "class", isNegated, ranges }, end: index + 1 };
}
