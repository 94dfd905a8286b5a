import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "./errors.ts";
import { Glob } from "./glob.ts";

// The rows of Go's own table for filepath.Match, on Unix.
const table: [string, string, boolean][] = [
  ["abc", "abc", true],
  ["*", "abc", true],
  ["*c", "abc", true],
  ["a*", "a", true],
  ["a*", "abc", true],
  ["a*", "ab/c", false],
  ["a*/b", "abc/b", true],
  ["a*/b", "a/c/b", false],
  ["a*b*c*d*e*/f", "axbxcxdxe/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxexxx/f", true],
  ["a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false],
  ["a*b?c*x", "abxbbxdbxebxczzx", true],
  ["a*b?c*x", "abxbbxdbxebxczzy", false],
  ["ab[c]", "abc", true],
  ["ab[b-d]", "abc", true],
  ["ab[e-g]", "abc", false],
  ["ab[^c]", "abc", false],
  ["ab[^b-d]", "abc", false],
  ["ab[^e-g]", "abc", true],
  ["a\\*b", "a*b", true],
  ["a\\*b", "ab", false],
  ["a?b", "a☺b", true],
  ["a[^a]b", "a☺b", true],
  ["a???b", "a☺b", false],
  ["[a-ζ]*", "α", true],
  ["*[a-ζ]", "A", false],
  ["a?b", "a/b", false],
  ["a*b", "a/b", false],
  ["[\\]a]", "]", true],
  ["[\\-]", "-", true],
  ["[x\\-]", "x", true],
  ["[x\\-]", "z", false],
  ["*x", "xxx", true],
];

for (const [pattern, path, want] of table) {
  test(`${pattern} ${want ? "matches" : "does not match"} ${path}`, () => {
    expect(new Glob(pattern, { globstar: false }).matches(path)).toBe(want);
  });
}

for (const pattern of ["[]a]", "[-]", "[x-]", "[-x]", "a[", "[a-b-c]", "[", "[^", "[^bc", "a\\", "[a"]) {
  test(`${pattern} is refused`, () => {
    expect(() => new Glob(pattern, { globstar: false })).toThrow(EngineError);
  });
}

/** What moby/patternmatcher would compile, for the letters used below. */
function reference(pattern: string): RegExp {
  let text = "^";
  for (let i = 0; i < pattern.length; i++) {
    if (pattern.startsWith("**", i)) {
      i += pattern[i + 2] === "/" ? 2 : 1;
      text += i + 1 >= pattern.length ? ".*" : "(.*/)?";
    } else if (pattern[i] === "*") text += "[^/]*";
    else if (pattern[i] === "?") text += "[^/]";
    else text += pattern[i];
  }
  return new RegExp(`${text}$`, "s");
}

test("with globstar it agrees with the regular expression of the original", () => {
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?"), maxLength: 8 });
  const path = fc.string({ unit: fc.constantFrom("a", "b", "/"), maxLength: 8 });
  fc.assert(
    fc.property(pattern, path, (glob, text) => {
      expect(new Glob(glob, { globstar: true }).matches(text)).toBe(reference(glob).test(text));
    }),
    { numRuns: 3000 },
  );
});

test("a pattern that would make a backtracking matcher explode ends", () => {
  const glob = new Glob(`${"**/*a".repeat(50)}b`, { globstar: true });
  expect(glob.matches("a".repeat(4000))).toBe(false);
});
