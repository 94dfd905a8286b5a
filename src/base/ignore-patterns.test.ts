import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "./errors.ts";
import { IgnorePatterns, parseIgnoreFile } from "./ignore-patterns.ts";

test("parseIgnoreFile() drops comments, blanks and the byte order mark, and cleans paths", () => {
  const text =
    "\uFEFFtest1\n/test2\n/a/file/here\n\nlastfile\n# comment\n  #not a comment\n! /inverted/abs/path\n!\n! \na/./b/\n";
  expect(parseIgnoreFile(text)).toEqual([
    "test1",
    "test2",
    "a/file/here",
    "lastfile",
    "#not a comment",
    "!inverted/abs/path",
    "!",
    "!",
    "a/b",
  ]);
});

// Rows of moby/patternmatcher's own table: patterns, path, ignored.
const table: [string[], string, boolean][] = [
  [["**"], "file", true],
  [["**"], "dir/file", true],
  [["**/"], "dir/file", true],
  [["**/**"], "dir/file", true],
  [["dir/**"], "dir/file", true],
  [["dir/**"], "dir/dir2/file", true],
  [["**/dir"], "dir/file", true],
  [["**/dir2/*"], "dir/dir2/file", true],
  [["**/dir2/*"], "dir/dir2/dir2/file", true],
  [["**/dir2/**"], "dir/dir2/dir2/file/", true],
  [["**file"], "file", true],
  [["**file"], "dir/file", true],
  [["**/file"], "dir/dir/file", true],
  [["**/file*"], "dir/dir/file.txt", true],
  [["**/file*txt"], "dir/dir/file.txt", true],
  [["**/file*.txt"], "dir/dir/file.txt", true],
  [["**/file*.txt*"], "dir/dir/file.txt", true],
  [["**/**/*.txt"], "dir/dir/file.txt", true],
  [["**/**/*.txt2"], "dir/dir/file.txt", false],
  [["**/*.txt"], "file.txt", true],
  [["a**/*.txt"], "a/file.txt", true],
  [["a**/*.txt"], "a/dir/file.txt", true],
  [["a/*.txt"], "a/dir/file.txt", false],
  [["a/*.txt**"], "a/file.txt", true],
  [["a[b-d]e"], "ae", false],
  [["a[b-d]e"], "ace", true],
  [[".*"], ".foo", true],
  [[".*"], "foo", false],
  [["abc.def"], "abcdef", false],
  [["abc.def"], "abc.def", true],
  [["**/foo/bar"], "foo/bar", true],
  [["**/foo/bar"], "dir/foo/bar", true],
  [["abc/**"], "abc", false],
  [["abc/**"], "abc/def/ghi", true],
  [["**/.foo"], "bar.foo", false],
  [["a(b)c/def"], "a(b)c/def", true],
  [["a.|)$(}+{bc"], "a.|)$(}+{bc", true],
  [["docs", "!docs/README.md"], "docs/README.md", false],
  [["docs", "!docs/README.md"], "docs/other.md", true],
  [["docs/README.md", "!docs"], "docs/README.md", false],
  [["*.md", "!README.md"], "README.md", false],
  [["*", "!docs/**/*.md"], "docs/a/b.md", false],
  [["**/*.mp3", "!util/docker/web/*.mp3"], "util/docker/web/foo.mp3", false],
  [["dir", "!dir/sub", "dir/sub/secret"], "dir/sub/secret", true],
  [["dir", "!dir/sub", "dir/sub/secret"], "dir/sub/open", false],
  [["", "  "], "file", false],
];

for (const [patterns, path, want] of table) {
  test(`${JSON.stringify(patterns)} ${want ? "ignores" : "keeps"} ${path}`, () => {
    expect(new IgnorePatterns(patterns).isIgnored(path)).toBe(want);
  });
}

test("a lone exclamation mark and malformed globs are refused", () => {
  expect(() => new IgnorePatterns(["!"])).toThrow('illegal exclusion pattern: "!"');
  expect(() => new IgnorePatterns(["a["])).toThrow(EngineError);
});

const below: [string[], string, boolean][] = [
  [["node_modules"], "node_modules", false],
  [["docs", "!docs/README.md"], "docs", true],
  [["docs", "!docs/a/b.md"], "docs/a", true],
  [["docs", "!docs/README.md"], "docs/sub", false],
  [["*", "!src"], "node_modules", false],
  [["*", "!**/*.go"], "node_modules", true],
  [["*", "!src/*.go"], "node_modules", false],
  [["*", "!src/*/x"], "src/deep", true],
];

for (const [patterns, folder, want] of below) {
  test(`${JSON.stringify(patterns)} ${want ? "may keep" : "keeps nothing"} below ${folder}`, () => {
    expect(new IgnorePatterns(patterns).mayKeepBelow(folder)).toBe(want);
  });
}

test("nothing is kept below a folder that mayKeepBelow() refuses", () => {
  const name = fc.constantFrom("a", "b", "*", "**", "a*", "?");
  const pattern = fc
    .tuple(fc.boolean(), fc.array(name, { minLength: 1, maxLength: 3 }))
    .map(([keeps, names]) => `${keeps ? "!" : ""}${names.join("/")}`);
  const path = fc.array(fc.constantFrom("a", "b", "ab"), { minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 4 }), path, (patterns, names) => {
      const rules = new IgnorePatterns(patterns);
      const folder = names.slice(0, -1).join("/");
      if (!rules.isIgnored(folder) || rules.mayKeepBelow(folder)) return;
      expect(rules.isIgnored(names.join("/"))).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
