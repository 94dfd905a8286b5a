import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { PathPattern } from "./path-pattern.ts";

interface Rule {
  readonly pattern: PathPattern;
  readonly isException: boolean;
}

/** Which rules match a directory or one above it; `undefined` where all below is settled. */
type State = readonly boolean[];

/** More rules or a larger file are refused. */
const MAX_RULES = 10_000;

/**
 * The rules of a `.dockerignore` file: the last one that matches a path, or a directory above it, decides.
 * moby/patternmatcher is the model.
 */
export class IgnoreRules {
  readonly #rules: readonly Rule[];
  readonly #directories = new Map<string, State>();

  private constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** @throws {EngineError} invalid, naming file and line */
  static parse(text: string, name = ".dockerignore"): IgnoreRules {
    const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
    const rules = lines.flatMap((line, index): Rule[] => {
      if (line.startsWith("#")) return [];
      try {
        return parseRule(line);
      } catch (error) {
        if (!EngineError.is(error)) throw error;
        throw new EngineError("invalid", `${name}, line ${index + 1}: ${error.message}`, { cause: error });
      }
    });
    return IgnoreRules.#of(rules, name);
  }

  /** Rules that come one by one, as `--exclude` gives them. @throws {EngineError} invalid */
  static of(patterns: readonly string[]): IgnoreRules {
    return IgnoreRules.#of(patterns.flatMap(parseRule), "the patterns");
  }

  static #of(rules: readonly Rule[], name: string): IgnoreRules {
    if (rules.length > MAX_RULES) {
      throw new EngineError(
        "invalid",
        `Cannot read ${name}: ${rules.length} patterns are more than ${MAX_RULES}`,
      );
    }
    return new IgnoreRules(rules);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** True when a rule begins with `!`: something below an ignored directory may then be wanted. */
  get hasExceptions(): boolean {
    return this.#rules.some(({ isException }) => isException);
  }

  /** `path` is relative to the root of the context, without `./`. */
  isIgnored(path: string): boolean {
    if (this.#rules.length === 0 || path === "" || path === ".") return false;
    const state = this.#match(path, this.#directory(posix.dirname(path)));
    let isIgnored = false;
    this.#rules.forEach(({ isException }, index) => {
      if (state[index]) isIgnored = !isException;
    });
    return isIgnored;
  }

  #directory(path: string): State | undefined {
    if (path === ".") return undefined;
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const state = this.#match(path, this.#directory(posix.dirname(path)));
    this.#directories.set(path, state);
    return state;
  }

  #match(path: string, parent: State | undefined): State {
    return this.#rules.map(({ pattern }, index) => parent?.[index] === true || pattern.matches(path));
  }
}

function parseRule(line: string): Rule[] {
  const trimmed = line.trim();
  const isException = trimmed.startsWith("!");
  const text = (isException ? trimmed.slice(1) : trimmed).trim();
  if (text === "") {
    if (isException) throw new EngineError("invalid", 'illegal exclusion pattern: "!"');
    return [];
  }
  const clean = posix
    .normalize(text)
    .replace(/(?<=.)\/$/, "")
    .replace(/^\/(?=.)/, "");
  return [{ pattern: PathPattern.compile(clean, { isDeep: true }), isException }];
}
