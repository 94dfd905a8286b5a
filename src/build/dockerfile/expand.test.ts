import { expect, test } from "bun:test";
import fc from "fast-check";
import { ExpansionError, expand, expandWords } from "./expand.ts";

const VALUES = new Map([
  ["name", "value"],
  ["empty", ""],
  ["path", "/usr/local/lib/a.tar.gz"],
  ["ports", "80 443"],
  ["star", "a*b"],
]);
const lookup = (name: string): string | undefined => VALUES.get(name);

// BuildKit, frontend/dockerfile/docs/reference.md, "Environment replacement".
const table: [string, string][] = [
  ["$name", "value"],
  [`\${name}x`, "valuex"],
  ["$missing", ""],
  [`\${name:-word}`, "value"],
  [`\${empty:-word}`, "word"],
  [`\${missing:-word}`, "word"],
  [`\${empty-word}`, ""],
  [`\${missing-word}`, "word"],
  [`\${name:+word}`, "word"],
  [`\${empty:+word}`, ""],
  [`\${empty+word}`, "word"],
  [`\${missing+word}`, ""],
  [`\${name:?no}`, "value"],
  [`\${empty?no}`, ""],
  [`\${path#*/}`, "usr/local/lib/a.tar.gz"],
  [`\${path##*/}`, "a.tar.gz"],
  [`\${path%.*}`, "/usr/local/lib/a.tar"],
  [`\${path%%.*}`, "/usr/local/lib/a"],
  [`\${path/l/L}`, "/usr/Local/lib/a.tar.gz"],
  [`\${path//l/L}`, "/usr/LocaL/Lib/a.tar.gz"],
  [`\${path/#/x}`, "/usr/local/lib/a.tar.gz"],
  [`\${star#a\\*}`, "b"],
  [`\${missing:-\${name:+in\${name}}}`, "invalue"],
  [`\${missing:-"a b"}`, "a b"],
  ["\\$name", "$name"],
  ["'$name'", "$name"],
  ['"$name"', "value"],
  ['"\\$name \\" \\n"', '$name " \\n'],
  ["a\\ b", "a b"],
  ["$", "$"],
  ["a$", "a$"],
  ["$1", ""],
  ["100%", "100%"],
];

for (const [text, expected] of table) {
  test(`${text} becomes ${expected}`, () => {
    expect(expand(text, "\\", lookup)).toBe(expected);
  });
}

const refused: [string, string][] = [
  [`\${missing:?no such thing}`, "missing: no such thing"],
  [`\${missing?}`, "missing: is not allowed to be unset"],
  [`\${empty:?}`, "empty: is not allowed to be unset or empty"],
  [`\${name`, "syntax error: missing '}'"],
  [`\${name:-x`, "unexpected end of statement while looking for matching }"],
  [`\${}`, "bad substitution: a name must follow ${"],
  [`\${name!x}`, "unsupported modifier (!) in substitution"],
  [`\${name:=x}`, "unsupported modifier (:=) in substitution"],
  ['"open', "unexpected end of statement while looking for matching double-quote"],
  ["'open", "unexpected end of statement while looking for matching single-quote"],
];

for (const [text, message] of refused) {
  test(`${text} is refused: ${message}`, () => {
    expect(() => expand(text, "\\", lookup)).toThrow(new ExpansionError(message));
  });
}

test("a question mark stands for one character, a letter outside the basic plane is one", () => {
  expect(expand(`\${v#?}`, "\\", () => "😀x")).toBe("x");
  expect(expand(`\${v%?}`, "\\", () => "x😀")).toBe("x");
});

test("the back quote escapes when the directive says so", () => {
  expect(expand("`$name \\$name", "`", lookup)).toBe("$name \\value");
});

test("expandWords() splits what is not quoted, also what a variable brings", () => {
  expect(expandWords('$ports "$ports" a"b c"d', "\\", lookup)).toEqual(["80", "443", "80 443", "ab cd"]);
  expect(expandWords("$missing", "\\", lookup)).toEqual([]);
  expect(expandWords("''", "\\", lookup)).toEqual([""]);
});

test("text without special characters is unchanged", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9/.:=_ -]*$/), (text) => expand(text, "\\", lookup) === text),
  );
});

test("any text either expands or is refused with an ExpansionError", () => {
  const piece = fc.constantFrom(
    "$",
    "{",
    "}",
    "'",
    '"',
    "\\",
    "name",
    ":",
    "-",
    "+",
    "?",
    "#",
    "%",
    "/",
    "*",
    " ",
    "é",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      try {
        expand(pieces.join(""), "\\", lookup);
      } catch (error) {
        expect(error).toBeInstanceOf(ExpansionError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("hostile substitutions are stopped", () => {
  const big = "a".repeat(1024 * 512);
  expect(() => expand("$v$v$v", "\\", () => big)).toThrow(ExpansionError);
  expect(() => expand(`\${v//*b/x}`, "\\", () => big)).toThrow(ExpansionError);
  expect(() => expand(`\${v:-`.repeat(100_000), "\\", () => undefined)).toThrow(ExpansionError);
});
