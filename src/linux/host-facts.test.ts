import { expect, test } from "bun:test";
import { parseMemoryTotal, parseOsRelease, readHostFacts } from "./host-facts.ts";

const values: [string, string, string][] = [
  ["bare", "A=12", "12"],
  ["in double quotes", 'A="Debian GNU/Linux 12 (bookworm)"', "Debian GNU/Linux 12 (bookworm)"],
  ["in single quotes", "A='a \\b'", "a \\b"],
  ["with an escaped quote", 'A="a \\"b\\" \\$c"', 'a "b" $c'],
  ["empty", 'A=""', ""],
  ["with an equals sign", "A=b=c", "b=c"],
  ["given twice", "A=1\nA=2", "2"],
  ["after a comment", "# A=1\nA=2", "2"],
];

for (const [what, text, value] of values) {
  test(`parseOsRelease() reads a value ${what}`, () => expect(parseOsRelease(text).get("A")).toBe(value));
}

test("parseMemoryTotal() gives bytes", () => {
  expect(parseMemoryTotal("MemTotal:       16301204 kB\nMemFree: 1 kB\n")).toBe(16_692_432_896);
});

test("readHostFacts() knows this machine", () => {
  const facts = readHostFacts();
  expect(facts.memoryBytes).toBeGreaterThan(1 << 20);
  expect(facts.cpuCount).toBeGreaterThan(0);
  expect(facts.kernelVersion).toMatch(/^\d+\.\d+/);
  expect(facts.operatingSystem).not.toBe("");
});
