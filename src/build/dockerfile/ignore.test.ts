import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { IgnoreRules } from "./ignore.ts";
import { PathPattern } from "./path-pattern.ts";

// Go's filepath.Match and moby/patternmatcher.
const patterns: [string, string[], string[]][] = [
  ["*.go", ["a.go", ".go"], ["d/a.go", "a.gox"]],
  ["*/*.go", ["d/a.go"], ["a.go", "a/b/c.go"]],
  ["a?c", ["abc"], ["ac", "a/c", "abbc"]],
  ["[a-c]x", ["ax", "cx"], ["dx", "/x"]],
  ["[^a-c]x", ["dx"], ["ax"]],
  ["[]a]x", ["]x", "ax"], ["bx"]],
  ["\\*", ["*"], ["a"]],
  ["**", ["a", "a/b"], []],
  ["**/x", ["x", "a/x", "a/b/x"], ["ax", "a/bx"]],
  ["a/**", ["a/b", "a/b/c"], ["b"]],
  ["a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b"]],
  ["**/*.o", ["a.o", "d/a.o"], ["a.c"]],
  ["docs", ["docs"], ["docs/a", "adocs"]],
];

for (const [text, yes, no] of patterns) {
  test(`the pattern ${text} matches ${yes.join(" ")} and nothing of ${no.join(" ")}`, () => {
    const pattern = PathPattern.compile(text, { isDeep: true });
    expect([...yes, ...no].filter((path) => pattern.matches(path))).toEqual(yes);
  });
}

const files: [string, string, string[], string[]][] = [
  [
    "a directory takes all below it",
    "node_modules",
    ["node_modules", "node_modules/a/b"],
    ["a/node_modules"],
  ],
  ["a leading slash and a trailing one say nothing", "/build/", ["build", "build/x"], ["x/build"]],
  ["an exception brings back, the last rule decides", "*.md\n!README.md", ["a.md"], ["README.md"]],
  [
    "an exception works inside an ignored directory",
    "docs\n!docs/keep",
    ["docs", "docs/a"],
    ["docs/keep", "docs/keep/x"],
  ],
  [
    "a later rule ignores again",
    "*.md\n!README*.md\nREADME-secret.md",
    ["README-secret.md"],
    ["README-a.md"],
  ],
  ["comments and blank lines are nothing", "# a\n\n  b  \n", ["b"], ["a", "# a"]],
  ["a star ignores all", "*\n!src", ["a", "a/b"], ["src", "src/x"]],
  ["dots in a path are resolved", "./a/../b", ["b"], ["a"]],
  ["a byte order mark is dropped", "\uFEFFa", ["a"], []],
  ["nothing climbs out", "../x", [], ["x"]],
];

for (const [name, text, ignored, kept] of files) {
  test(name, () => {
    const rules = IgnoreRules.parse(text);
    expect([...ignored, ...kept].filter((path) => rules.isIgnored(path))).toEqual(ignored);
  });
}

test("a lone exclamation mark and an open bracket are refused by line", () => {
  expect(() => IgnoreRules.parse("a\n!")).toThrow(
    new EngineError("invalid", '.dockerignore, line 2: illegal exclusion pattern: "!"'),
  );
  expect(() => IgnoreRules.parse("[a")).toThrow('.dockerignore, line 1: syntax error in pattern "[a"');
});

test("a hostile pattern does not take exponential time", () => {
  const rules = IgnoreRules.of([`${"**/*a".repeat(200)}b`, `${"*a".repeat(800)}b`]);
  const started = performance.now();
  expect(rules.isIgnored(`${"a".repeat(2000)}`)).toBe(false);
  expect(performance.now() - started).toBeLessThan(2000);
});
