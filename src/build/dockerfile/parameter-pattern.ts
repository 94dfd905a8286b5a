/** Steps that one substitution may take; a hostile pattern is stopped, not waited for. */
const MAX_STEPS = 4_000_000;

type Token =
  | { readonly kind: "any" }
  | { readonly kind: "one" }
  | { readonly kind: "text"; readonly character: string };

/** Thrown inside this room when a pattern takes too long; `expand.ts` gives it words and a place. */
export class PatternTooCostly extends Error {}

/**
 * `?` and `*` patterns of `${name#pattern}` and its kin, by simulating all positions at once: the time is the product
 * of both lengths, never exponential.
 */
export class ParameterPattern {
  readonly #tokens: readonly Token[];
  #steps = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  static parse(text: string): ParameterPattern {
    const tokens: Token[] = [];
    const characters = Array.from(text);
    for (let index = 0; index < characters.length; index++) {
      const character = characters[index] ?? "";
      if (character === "*") {
        if (tokens.at(-1)?.kind !== "any") tokens.push({ kind: "any" });
      } else if (character === "?") tokens.push({ kind: "one" });
      else
        tokens.push({
          kind: "text",
          character: character === "\\" ? (characters[++index] ?? "\\") : character,
        });
    }
    return new ParameterPattern(tokens);
  }

  /** The value without its shortest or longest matching beginning. */
  cutPrefix(value: string, which: "shortest" | "longest"): string {
    const characters = Array.from(value);
    return characters.slice(this.#matchLength(characters, 0, which)).join("");
  }

  /** The value without its shortest or longest matching end. */
  cutSuffix(value: string, which: "shortest" | "longest"): string {
    const characters = Array.from(value).toReversed();
    const reversed = new ParameterPattern(this.#tokens.toReversed());
    return characters
      .slice(reversed.#matchLength(characters, 0, which))
      .toReversed()
      .join("");
  }

  /** The leftmost longest match replaced, or every one of them. */
  replace(value: string, replacement: string, which: "first" | "all"): string {
    const characters = Array.from(value);
    const result: string[] = [];
    let index = 0;
    while (index < characters.length) {
      const length = this.#matchLength(characters, index, "longest") ?? 0;
      if (length === 0) {
        result.push(characters[index++] ?? "");
        continue;
      }
      result.push(replacement);
      index += length;
      if (which === "first") break;
    }
    return [...result, ...characters.slice(index)].join("");
  }

  /** Length of the match that begins at `start`. */
  #matchLength(value: readonly string[], start: number, which: "shortest" | "longest"): number | undefined {
    let states = this.#closure(new Set([0]));
    let found: number | undefined;
    for (let index = start; ; index++) {
      if (states.has(this.#tokens.length)) {
        found = index - start;
        if (which === "shortest") return found;
      }
      if (index >= value.length || states.size === 0) return found;
      states = this.#closure(this.#step(states, value[index] ?? ""));
    }
  }

  #step(states: ReadonlySet<number>, character: string): Set<number> {
    this.#steps += states.size + 1;
    if (this.#steps > MAX_STEPS) throw new PatternTooCostly();
    const next = new Set<number>();
    for (const state of states) {
      const token = this.#tokens[state];
      if (token === undefined) continue;
      if (token.kind === "any") next.add(state);
      else if (token.kind === "one" || token.character === character) next.add(state + 1);
    }
    return next;
  }

  /** A `*` may also match nothing. */
  #closure(states: Set<number>): Set<number> {
    for (const state of states) {
      if (this.#tokens[state]?.kind === "any") states.add(state + 1);
    }
    return states;
  }
}
