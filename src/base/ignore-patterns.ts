import { posix } from "node:path";
import { EngineError } from "./errors.ts";
import { Glob, isGlob } from "./glob.ts";

interface Rule {
  /** `!pattern`: what it matches is kept after all. */
  readonly keeps: boolean;
  readonly pattern: string;
  readonly matches: (path: string) => boolean;
}

/** How one path stands to every rule, itself or by a folder above it; handed down while a tree is walked. */
export interface IgnoreMatch {
  readonly isIgnored: boolean;
  /** By rule: matched here or above. */
  readonly hits: readonly boolean[];
}

/**
 * The lines of a `.dockerignore`: comments, blanks and a byte order mark dropped, paths cleaned, a leading `/` removed
 * (behaviour of moby/patternmatcher's `ignorefile.ReadAll`).
 */
export function parseIgnoreFile(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) {
    const trimmed = line.trim();
    if (line.startsWith("#") || trimmed === "") continue;
    const keeps = trimmed.startsWith("!");
    const body = keeps ? trimmed.slice(1).trim() : trimmed;
    const cleaned = body === "" ? "" : cleanPath(body);
    const pattern = cleaned.length > 1 && cleaned.startsWith("/") ? cleaned.slice(1) : cleaned;
    patterns.push(keeps ? `!${pattern}` : pattern);
  }
  return patterns;
}

/**
 * An ordered list of ignore patterns: Go's globs, `**` for any number of folders, `!` to keep again; the last rule that
 * matches a path or a folder above it decides. Paths are relative, with `/`, clean. Linear in path × patterns.
 * Behaviour of moby/patternmatcher.
 */
export class IgnorePatterns {
  readonly #rules: readonly Rule[];
  readonly #keepers: readonly Rule[];

  /** @throws {EngineError} invalid for `!` alone and for malformed globs */
  constructor(patterns: readonly string[]) {
    this.#rules = patterns
      .map((pattern) => pattern.trim())
      .flatMap((text) => (text === "" ? [] : rule(text)));
    this.#keepers = this.#rules.filter((one) => one.keeps);
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  isIgnored(path: string): boolean {
    const names = path.split("/");
    let match: IgnoreMatch | undefined;
    for (let depth = 1; depth <= names.length; depth++)
      match = this.match(names.slice(0, depth).join("/"), match);
    return match?.isIgnored ?? false;
  }

  /** The same for a walk: `parent` is the result for the folder that holds `path`; `undefined` at the top. */
  match(path: string, parent: IgnoreMatch | undefined): IgnoreMatch {
    const hits: boolean[] = [];
    let isIgnored = false;
    for (const [i, one] of this.#rules.entries()) {
      const isHit = parent?.hits[i] === true || one.matches(path);
      hits.push(isHit);
      if (isHit && one.keeps === isIgnored) isIgnored = !one.keeps;
    }
    return { isIgnored, hits };
  }

  /** False when nothing below the ignored folder `path` can be kept, so that it need not be read. */
  mayKeepBelow(path: string): boolean {
    return this.#keepers.some((one) => {
      const literal = one.pattern.split("/");
      const firstGlob = literal.findIndex(isGlob);
      const certain = (firstGlob === -1 ? literal : literal.slice(0, firstGlob)).join("/");
      if (firstGlob === -1) return `${certain}/`.startsWith(`${path}/`);
      return certain === "" || `${certain}/`.startsWith(`${path}/`) || `${path}/`.startsWith(`${certain}/`);
    });
  }
}

function rule(text: string): Rule {
  const cleaned = cleanPath(text);
  const keeps = cleaned.startsWith("!");
  const pattern = keeps ? cleaned.slice(1) : cleaned;
  if (pattern === "") throw new EngineError("invalid", `illegal exclusion pattern: "!"`);
  return { keeps, pattern, matches: matcher(pattern) };
}

/** The cheap comparisons first: most lines of real files are a name, `name/**` or `**` + `/name`. */
function matcher(pattern: string): (path: string) => boolean {
  if (!isGlob(pattern)) return (path) => path === pattern;
  const glob = new Glob(pattern, { globstar: true });
  if (pattern === "**") return () => true;
  if (pattern.endsWith("**") && !isGlob(pattern.slice(0, -2))) {
    const prefix = pattern.slice(0, -2);
    return (path) => path.startsWith(prefix);
  }
  if (pattern.startsWith("**") && !isGlob(pattern.slice(2))) {
    const suffix = pattern.slice(2);
    return (path) => path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
  }
  return (path) => glob.matches(path);
}

/** Go's `path.Clean`. */
function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}
