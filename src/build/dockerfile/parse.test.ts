import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { EngineError } from "#base/errors.ts";
import { parseDockerfile } from "./parse.ts";
import type { Range } from "./source.ts";

const TESTDATA = join(import.meta.dir, "testdata");

for (const name of readdirSync(TESTDATA)) {
  test(`golden: ${name.replaceAll("-", " ")}`, () => {
    const text = readFileSync(join(TESTDATA, name, "Dockerfile"), "utf8");
    const expectedPath = join(TESTDATA, name, "expected");
    const found = describe(text);
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(expectedPath, found);
    expect(found).toBe(readFileSync(expectedPath, "utf8"));
  });
}

/** The tree, one instruction a line, ranges as `line:column-line:column`; or the message. */
function describe(text: string): string {
  try {
    const { directives, instructions, warnings } = parseDockerfile(text);
    const lines = [directives, ...instructions, ...warnings].map((value) => JSON.stringify(value, compact));
    return `${lines.join("\n")}\n`;
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
    return `${error.message}\n${error.hint === undefined ? "" : `hint: ${error.hint}\n`}`;
  }
}

function compact(key: string, value: unknown): unknown {
  return key === "range" && isRange(value)
    ? `${value.start.line}:${value.start.column}-${value.end.line}:${value.end.column}`
    : value;
}

function isRange(value: unknown): value is Range {
  return typeof value === "object" && value !== null && "start" in value && "end" in value;
}

test("any text is a Dockerfile or an EngineError invalid", () => {
  const piece = fc.constantFrom(
    ..."FROM RUN COPY ADD ENV ARG ONBUILD HEALTHCHECK VOLUME SHELL EXPOSE CMD USER # escape=` <<EOF <<-'E' EOF".split(
      " ",
    ),
    "\n",
    "\n",
    " ",
    "\\\n",
    "`\n",
    "\t",
    "\r\n",
    '["a"]',
    "[",
    "]",
    '"',
    "'",
    "$x",
    "--mount=a",
    "--",
    "=",
    "a=b",
    "é",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        parseDockerfile(`FROM a\n${pieces.join(" ")}`);
      } catch (error) {
        expect(EngineError.is(error, "invalid")).toBe(true);
      }
    }),
    { numRuns: 3000 },
  );
});

test("every instruction's range holds its keyword", () => {
  const text = "FROM a\n  run echo \\\n  # note\n  b\n\tENV x=y\nCOPY <<E /\nE\nUSER u";
  const lines = text.split("\n");
  for (const { kind, range } of parseDockerfile(text).instructions) {
    const line = lines[range.start.line - 1] ?? "";
    expect(line.slice(range.start.column - 1, range.start.column - 1 + kind.length).toUpperCase()).toBe(kind);
  }
});

const hostile: [string, string][] = [
  ["a long line", `FROM a\nRUN ${"x ".repeat(1_000_000)}`],
  ["many continuations", `FROM a\nRUN a ${"\\\n b".repeat(300_000)}`],
  ["many comments inside", `FROM a\nRUN a \\\n${"# c\n".repeat(400_000)} b`],
  ["many flags", `FROM a\nCOPY ${"--exclude=a ".repeat(200_000)} a b`],
  ["an open array", `FROM a\nCMD ${"[".repeat(2_000_000)}`],
  ["an array that never closes", `FROM a\nCMD [${'"a",'.repeat(500_000)}`],
  ["many inline files", `FROM a\nRUN ${"<<A ".repeat(20_000)}\n${"A\n".repeat(20_000)}`],
  ["many pairs", `FROM a\nENV ${"a=b ".repeat(400_000)}`],
  ["escapes without end", `FROM a\nENV a=${"\\".repeat(2_000_001)}`],
  ["blanks without end", `FROM a\nRUN ${" ".repeat(2_000_000)}\\${" ".repeat(1_000_000)}`],
  ["many directives", `# syntax=a\n${"# ".repeat(1_000_000)}=\nFROM a`],
  ["long keyword", "A".repeat(3_000_000)],
];

for (const [name, text] of hostile) {
  test(`${name} is read or refused without a hang`, () => {
    try {
      parseDockerfile(text);
    } catch (error) {
      expect(EngineError.is(error, "invalid")).toBe(true);
    }
  });
}

test("a file beyond the limit is refused", () => {
  expect(() => parseDockerfile("#".repeat(5 * 1024 * 1024))).toThrow("more than 4194304");
});
