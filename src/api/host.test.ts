import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { formatHost, type Host, parseHost } from "./host.ts";

const table: [string, Host][] = [
  ["unix:///run/darse/darse.sock", { kind: "unix", path: "/run/darse/darse.sock" }],
  ["tcp://127.0.0.1:2375", { kind: "tcp", address: "127.0.0.1", port: 2375 }],
  ["tcp://10.0.0.1", { kind: "tcp", address: "10.0.0.1", port: 2375 }],
  ["tcp://:4243", { kind: "tcp", address: "127.0.0.1", port: 4243 }],
  ["tcp://[::1]:2375", { kind: "tcp", address: "::1", port: 2375 }],
  ["http://engine.local:80/", { kind: "tcp", address: "engine.local", port: 80 }],
];

for (const [text, host] of table) {
  test(`${text} is understood`, () => expect(parseHost(text)).toEqual(host));
}

test("formatHost() gives text that reads back the same", () => {
  for (const [, host] of table) expect(parseHost(formatHost(host))).toEqual(host);
});

for (const text of [
  "",
  "run.sock",
  "unix://",
  "tcp://a:99999",
  "tcp://a:b",
  "tcp://[::1",
  "ssh://user@host",
  "npipe:////./pipe/x",
]) {
  test(`"${text}" is refused`, () => expect(() => parseHost(text)).toThrow(EngineError));
}
