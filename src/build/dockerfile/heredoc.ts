import { unquoted } from "./word.ts";

/** The `<<NAME` word of an inline file, before its body is read. */
export interface HeredocMark {
  readonly name: string;
  readonly isExpanded: boolean;
  readonly stripsTabs: boolean;
}

/** Instructions whose words may open inline files. */
const WITH_HEREDOCS = /^(?:run|copy|add)$/i;

/** True when the instruction, or the one that ONBUILD holds, may have inline files. */
export function takesHeredocs(text: string): boolean {
  const [first = "", second = ""] = text.trimStart().split(/\s+/, 2);
  return WITH_HEREDOCS.test(/^onbuild$/i.test(first) ? second : first);
}

/** Reads `[fd]<<[-]NAME`, `NAME` quoted or not; `undefined` when `word` is something else. */
export function parseHeredocMark(word: string, escape: string): HeredocMark | undefined {
  const match = /^\d*<<(-?)([^<]+)$/.exec(word);
  if (match === null) return undefined;
  const rest = match[2] ?? "";
  if (/\s/.test(rest)) return undefined;
  const name = unquoted(rest, escape);
  if (name === undefined || name === "") return undefined;
  return { name, isExpanded: name === rest, stripsTabs: match[1] === "-" };
}
