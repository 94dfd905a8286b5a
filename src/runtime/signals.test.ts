import { expect, test } from "bun:test";
import { parseSignal } from "./signals.ts";

const accepted: [string, number][] = [
  ["KILL", 9],
  ["SIGKILL", 9],
  ["sigterm", 15],
  ["15", 15],
  ["9", 9],
  [" HUP ", 1],
  ["POLL", 29],
  ["WINCH", 28],
  ["SYS", 31],
  ["SIGRTMIN", 34],
  ["SIGRTMIN+3", 37],
  ["RTMIN+15", 49],
  ["RTMAX", 64],
  ["SIGRTMAX-14", 50],
  ["64", 64],
];

for (const [text, number] of accepted) {
  test(`signal "${text}" is ${number}`, () => expect(parseSignal(text)).toBe(number));
}

for (const text of [
  "",
  "0",
  "65",
  "-9",
  "SIG",
  "NOPE",
  "RTMIN+31",
  "RTMIN-1",
  "RTMAX+1",
  "9.5",
  "constructor",
]) {
  test(`signal "${text}" is refused with Docker's text`, () => {
    expect(() => parseSignal(text)).toThrow(`invalid signal: ${text}`);
  });
}
