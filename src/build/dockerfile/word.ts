/** A word of a statement: its raw text, quotes and escapes included, and where it stands in the statement's text. */
export interface TextWord {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Splits at blanks. */
export function splitAtBlanks(text: string, from = 0): TextWord[] {
  const words: TextWord[] = [];
  const pattern = /\S+/g;
  pattern.lastIndex = from;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    words.push({ text: match[0], start: match.index, end: match.index + match[0].length });
  }
  return words;
}

/**
 * Splits at blanks that are neither quoted nor escaped. Quotes and escapes stay in the words, an escape at the very
 * end is dropped. An unfinished quote runs to the end, as BuildKit has it.
 */
export function splitWords(text: string, escape: string, from = 0): TextWord[] {
  const words: TextWord[] = [];
  let index = from;
  while (index < text.length) {
    if (isBlank(text, index)) {
      index++;
      continue;
    }
    const start = index;
    index = wordEnd(text, index, escape);
    const isCut = index === text.length && endsInEscape(text, start, escape);
    words.push({ text: text.slice(start, isCut ? index - 1 : index), start, end: index });
  }
  return words;
}

/** Where the word that starts at `start` ends. */
function wordEnd(text: string, start: number, escape: string): number {
  let quote = "";
  let index = start;
  for (; index < text.length; index++) {
    const character = text[index];
    if (character === escape && quote !== "'") index++;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === "'" || character === '"') quote = character;
    else if (isBlank(text, index)) break;
  }
  return Math.min(index, text.length);
}

function endsInEscape(text: string, start: number, escape: string): boolean {
  let count = 0;
  for (let index = text.length - 1; index >= start && text[index] === escape; index--) count++;
  return count % 2 === 1;
}

export function isBlank(text: string, index: number): boolean {
  const character = text[index];
  return (
    character === " " || character === "\t" || character === "\v" || character === "\f" || character === "\r"
  );
}

/** `word` without its quotes and escapes; `undefined` when a quote is not closed. */
export function unquoted(word: string, escape: string): string | undefined {
  let quote = "";
  let result = "";
  for (let index = 0; index < word.length; index++) {
    const character = word[index] ?? "";
    if (character === escape && quote !== "'") result += word[++index] ?? "";
    else if (quote !== "" ? character === quote : character === "'" || character === '"') {
      quote = quote === "" ? character : "";
    } else result += character;
  }
  return quote === "" ? result : undefined;
}
