/** What the text after an instruction is, seen as JSON. */
export type JsonForm =
  | { readonly kind: "strings"; readonly strings: readonly string[] }
  /** An array that holds something else than text. */
  | { readonly kind: "not-strings" }
  /** No JSON: the shell form. */
  | { readonly kind: "none" };

/**
 * Reads `["a", "b"]`. As Docker does, text after the closing bracket is not looked at, and anything that is not JSON
 * is the shell form.
 */
export function parseJsonForm(text: string): JsonForm {
  const start = text.length - text.trimStart().length;
  if (text[start] !== "[") return { kind: "none" };
  const end = arrayEnd(text, start);
  if (end === undefined) return { kind: "none" };
  const value = parseOrUndefined(text.slice(start, end));
  if (!Array.isArray(value)) return { kind: "none" };
  const strings = value.filter((element) => typeof element === "string");
  return strings.length === value.length ? { kind: "strings", strings } : { kind: "not-strings" };
}

/** Just behind the bracket that closes the one at `start`. */
function arrayEnd(text: string, start: number): number | undefined {
  let depth = 0;
  let isInString = false;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (isInString) {
      if (character === "\\") index++;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") {
      depth--;
      if (depth === 0) return index + 1;
    }
    if (depth > 2) return undefined;
  }
  return undefined;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
