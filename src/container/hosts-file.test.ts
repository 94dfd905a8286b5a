import { expect, test } from "bun:test";
import { moveHosts } from "./hosts-file.ts";

const before = "127.0.0.1\tlocalhost\n10.0.0.9\tdb\n172.18.0.2\tweb\n# by hand\n";

const rows: [string, Parameters<typeof moveHosts>[1], string][] = [
  [
    "a network that comes adds a line",
    { before: ["172.18.0.2"], after: ["172.18.0.2", "172.19.0.2"], hostname: "web" },
    `${before}172.19.0.2\tweb\n`,
  ],
  [
    "a network that goes takes its line",
    { before: ["172.18.0.2"], after: [], hostname: "web" },
    "127.0.0.1\tlocalhost\n10.0.0.9\tdb\n# by hand\n",
  ],
  [
    "lines of others stay, whatever their address",
    { before: ["10.0.0.9"], after: [], hostname: "web" },
    before,
  ],
  [
    "a domain is part of the name",
    { before: [], after: ["fd00::2"], hostname: "web", domainname: "example.org" },
    `${before}fd00::2\tweb.example.org web\n`,
  ],
];
for (const [name, change, after] of rows) test(name, () => expect(moveHosts(before, change)).toBe(after));
