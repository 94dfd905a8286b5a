import { parseError, type Source } from "./source.ts";

/** What the comments at the very top of the file ask for. */
export interface Directives {
  readonly escape: "\\" | "`";
  /** The external frontend asked for; ours reads the language itself. */
  readonly syntax?: string;
  /** The lint control line, as written. */
  readonly check?: string;
}

const NAMES = ["syntax", "escape", "check"];

/**
 * Reads `# name=value` lines; they end at the first line of another kind.
 *
 * @returns the directives and how many lines they take
 * @throws {EngineError} invalid for a directive given twice or an escape that is neither `\` nor a back quote
 */
export function parseDirectives(source: Source): { directives: Directives; lineCount: number } {
  const found = new Map<string, string>();
  let index = 0;
  for (; index < source.lines.length; index++) {
    const directive = readDirective(source.lines[index] ?? "");
    if (directive === undefined) break;
    const { name, value, column } = directive;
    if (!NAMES.includes(name)) break;
    const range = {
      start: { line: index + 1, column },
      end: { line: index + 1, column: column + name.length },
    };
    if (found.has(name)) throw parseError(source, range, `only one ${name} parser directive can be used`);
    if (name === "escape" && value !== "\\" && value !== "`") {
      throw parseError(source, range, `invalid escape token '${value}' does not match \` or \\`);
    }
    found.set(name, value);
  }
  const syntax = found.get("syntax");
  const check = found.get("check");
  return {
    directives: {
      escape: found.get("escape") === "`" ? "`" : "\\",
      ...(syntax !== undefined && { syntax }),
      ...(check !== undefined && { check }),
    },
    lineCount: index,
  };
}

function readDirective(line: string): { name: string; value: string; column: number } | undefined {
  const text = line.trimStart();
  if (!text.startsWith("#")) return undefined;
  const equals = text.indexOf("=");
  if (equals < 0) return undefined;
  const name = text.slice(1, equals).trim();
  const value = text.slice(equals + 1).trim();
  if (!/^[a-zA-Z][a-zA-Z0-9]*$/.test(name) || value === "") return undefined;
  return { name: name.toLowerCase(), value, column: line.indexOf(name) + 1 };
}
