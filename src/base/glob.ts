import { EngineError } from "./errors.ts";

/**
 * One step of a compiled pattern. A pattern runs as a set of positions moved on by each character, so matching takes
 * time proportional to text × pattern whatever the pattern is; there is no backtracking.
 */
type Step =
  | { readonly kind: "literal"; readonly code: number }
  /** `?`: any character but `/`. */
  | { readonly kind: "one" }
  /** `*`: any run without `/`. */
  | { readonly kind: "star" }
  /** `**` at the end: anything. */
  | { readonly kind: "rest" }
  /** `**` elsewhere: nothing, or any run that ends in `/`: "maybe" offers both, "folders" runs. */
  | { readonly kind: "maybe" }
  | { readonly kind: "folders" }
  | {
      readonly kind: "class";
      readonly negated: boolean;
      readonly ranges: readonly (readonly [number, number])[];
    };

const SLASH = 47;

/** A glob of Go's `filepath.Match`; with `globstar` also `**`, as `.dockerignore` has it. Matches whole paths. */
export class Glob {
  readonly pattern: string;
  readonly #steps: readonly Step[];

  /** @throws {EngineError} invalid for an unclosed or empty class and for a lone `\` at the end */
  constructor(pattern: string, options: { readonly globstar: boolean }) {
    this.pattern = pattern;
    this.#steps = compile(pattern, options.globstar);
  }

  matches(path: string): boolean {
    const steps = this.#steps;
    let current = new Uint8Array(steps.length + 1);
    let next = new Uint8Array(steps.length + 1);
    enter(steps, current, 0);
    for (let at = 0; at < path.length; ) {
      const code = path.codePointAt(at) ?? 0;
      at += code > 0xffff ? 2 : 1;
      if (!advance(steps, { current, next, code })) return false;
      [current, next] = [next, current];
      next.fill(0);
    }
    return current[steps.length] === 1;
  }
}

/** True when `text` has a character that is special in a glob. */
export function isGlob(text: string): boolean {
  return /[*?[\\]/.test(text);
}

/** Marks position `at` and all that is reachable from it without reading a character. */
function enter(steps: readonly Step[], positions: Uint8Array, at: number): void {
  for (let i = at; positions[i] === 0; i++) {
    positions[i] = 1;
    const kind = steps[i]?.kind;
    if (kind === "maybe") positions[++i] = 1;
    else if (kind !== "star" && kind !== "rest") return;
  }
}

/** Moves every position over one character; false when none is left. */
function advance(
  steps: readonly Step[],
  move: { readonly current: Uint8Array; readonly next: Uint8Array; readonly code: number },
): boolean {
  const { current, next, code } = move;
  let isAlive = false;
  for (const [i, step] of steps.entries()) {
    if (current[i] === 0) continue;
    const stays = step.kind === "folders" || step.kind === "rest" || (step.kind === "star" && code !== SLASH);
    const passes = step.kind === "folders" ? code === SLASH : accepts(step, code);
    if (stays) enter(steps, next, i);
    if (passes) enter(steps, next, i + 1);
    isAlive ||= stays || passes;
  }
  return isAlive;
}

function accepts(step: Step, code: number): boolean {
  if (step.kind === "literal") return step.code === code;
  if (step.kind === "one") return code !== SLASH;
  if (step.kind !== "class") return false;
  return step.ranges.some(([low, high]) => code >= low && code <= high) !== step.negated;
}

function compile(pattern: string, globstar: boolean): Step[] {
  const codes = Array.from(pattern, (character) => character.codePointAt(0) ?? 0);
  const steps: Step[] = [];
  let i = 0;
  while (i < codes.length) {
    const character = String.fromCodePoint(codes[i] ?? 0);
    if (character === "*") i = compileStar({ codes, globstar, steps }, i);
    else if (character === "[") i = compileClass(pattern, { codes, steps }, i + 1);
    else if (character === "?") {
      steps.push({ kind: "one" });
      i++;
    } else {
      if (character === "\\") i++;
      const code = codes[i];
      if (code === undefined) throw malformed(pattern);
      steps.push({ kind: "literal", code });
      i++;
    }
  }
  return steps;
}

function compileStar(
  state: { readonly codes: readonly number[]; readonly globstar: boolean; readonly steps: Step[] },
  at: number,
): number {
  const { codes, steps } = state;
  const star = 42;
  if (!state.globstar || codes[at + 1] !== star) {
    steps.push({ kind: "star" });
    return at + 1;
  }
  let end = at + 2;
  if (codes[end] === SLASH) end++;
  if (end >= codes.length) steps.push({ kind: "rest" });
  else steps.push({ kind: "maybe" }, { kind: "folders" });
  return end;
}

function compileClass(
  pattern: string,
  state: { readonly codes: readonly number[]; readonly steps: Step[] },
  start: number,
): number {
  const { codes, steps } = state;
  const [dash, backslash, close, caret] = [45, 92, 93, 94];
  const ranges: [number, number][] = [];
  let i = start;
  const negated = codes[i] === caret;
  if (negated) i++;
  const readCharacter = (): number => {
    if (codes[i] === backslash) i++;
    else if (codes[i] === dash || codes[i] === close) throw malformed(pattern);
    const code = codes[i++];
    if (code === undefined) throw malformed(pattern);
    return code;
  };
  while (ranges.length === 0 || codes[i] !== close) {
    const low = readCharacter();
    if (codes[i] !== dash) ranges.push([low, low]);
    else {
      i++;
      ranges.push([low, readCharacter()]);
    }
  }
  steps.push({ kind: "class", negated, ranges });
  return i + 1;
}

function malformed(pattern: string): EngineError {
  return new EngineError("invalid", `Cannot read pattern "${pattern}": syntax error in pattern`);
}
