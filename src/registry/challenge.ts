/** One challenge of a `WWW-Authenticate` header. RFC 9110 §11.6.1. */
export interface Challenge {
  /** Lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+/;
const MAX_HEADER = 8192;

/** The challenges in order; what cannot be read ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header.slice(0, MAX_HEADER).trimStart();
  while (rest !== "") {
    const scheme = TOKEN.exec(rest)?.[0];
    if (scheme === undefined) break;
    rest = rest.slice(scheme.length).trimStart();
    const parameters = new Map<string, string>();
    for (;;) {
      const parameter = readParameter(rest);
      if (!parameter) break;
      parameters.set(parameter.name.toLowerCase(), parameter.value);
      rest = parameter.rest.replace(/^\s*,?\s*/, "");
    }
    challenges.push({ scheme: scheme.toLowerCase(), parameters });
    rest = rest.replace(/^[\s,]+/, "");
    if (/^[^\s,]+=/.test(rest)) break;
  }
  return challenges;
}

/** `name=token` or `name="quoted \" text"` at the start of `text`. */
function readParameter(text: string): { name: string; value: string; rest: string } | undefined {
  const name = TOKEN.exec(text)?.[0];
  if (name === undefined || text[name.length] !== "=") return undefined;
  const after = text.slice(name.length + 1);
  if (!after.startsWith('"')) {
    const value = TOKEN.exec(after)?.[0] ?? "";
    return { name, value, rest: after.slice(value.length) };
  }
  let value = "";
  for (let at = 1; at < after.length; at++) {
    const character = after[at];
    if (character === '"') return { name, value, rest: after.slice(at + 1) };
    if (character === "\\") at++;
    value += after[at] ?? "";
  }
  return undefined;
}
