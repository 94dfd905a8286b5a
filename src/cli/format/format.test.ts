import { expect, test } from "bun:test";
import { ellipsis } from "./ellipsis.ts";
import { humanDuration } from "./human-time.ts";
import { type ListFormat, renderList } from "./list-format.ts";
import { portsColumn } from "./ports-column.ts";
import { alignTable } from "./table.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// docker/go-units' own table.
const durations: [number, string][] = [
  [450, "Less than a second"],
  [SECOND, "1 second"],
  [45 * SECOND, "45 seconds"],
  [46 * SECOND, "46 seconds"],
  [59 * SECOND, "59 seconds"],
  [60 * SECOND, "About a minute"],
  [90 * SECOND, "About a minute"],
  [3 * MINUTE, "3 minutes"],
  [35 * MINUTE, "35 minutes"],
  [60 * MINUTE, "About an hour"],
  [HOUR + 29 * MINUTE, "About an hour"],
  [HOUR + 31 * MINUTE, "2 hours"],
  [3 * HOUR + 29 * MINUTE, "3 hours"],
  [3 * HOUR + 31 * MINUTE, "4 hours"],
  [24 * HOUR, "24 hours"],
  [36 * HOUR, "36 hours"],
  [2 * DAY, "2 days"],
  [7 * DAY, "7 days"],
  [13 * DAY + 5 * HOUR, "13 days"],
  [2 * 7 * DAY, "2 weeks"],
  [30 * DAY, "4 weeks"],
  [61 * DAY, "2 months"],
  [365 * DAY, "12 months"],
  [366 * DAY * 2, "2 years"],
];
for (const [ms, want] of durations) test(`${ms} ms is ${want}`, () => expect(humanDuration(ms)).toBe(want));

test("columns are at least 10 wide and 3 apart; the last is not padded", () => {
  expect(alignTable(["A\tB\tC", "a-long-container-id\tx\tlast"])).toBe(
    "A                     B         C\na-long-container-id   x         last\n",
  );
});

test("a character outside the basic plane counts once", () => {
  expect(alignTable(["𝒳𝒳𝒳𝒳𝒳𝒳𝒳𝒳\tb", "x\tb"])).toBe("𝒳𝒳𝒳𝒳𝒳𝒳𝒳𝒳   b\nx          b\n");
});

test("ellipsis() keeps what fits", () => {
  expect(ellipsis("0123456789", 10)).toBe("0123456789");
  expect(ellipsis("0123456789a", 10)).toBe("012345678…");
});

type Port = [ip: string | undefined, publicPort: number | undefined, privatePort: number, type?: string];

// After docker/cli's table for DisplayablePorts.
const ports: [Port[], string][] = [
  [[], ""],
  [[[undefined, undefined, 9988]], "9988/tcp"],
  [[[undefined, undefined, 9988, "udp"]], "9988/udp"],
  [[["0.0.0.0", undefined, 9988]], "0.0.0.0:0->9988/tcp"],
  [[["4.3.2.1", 8899, 9988]], "4.3.2.1:8899->9988/tcp"],
  [[["::", 8899, 9988]], "[::]:8899->9988/tcp"],
  [[["4.3.2.1", 9988, 9988]], "4.3.2.1:9988->9988/tcp"],
  [
    [
      [undefined, undefined, 9988, "udp"],
      [undefined, undefined, 9988, "udp"],
    ],
    "9988/udp, 9988/udp",
  ],
  [
    [
      ["1.2.3.4", 9998, 9998, "udp"],
      ["1.2.3.4", 9999, 9999, "udp"],
    ],
    "1.2.3.4:9998-9999->9998-9999/udp",
  ],
  [
    [
      ["1.2.3.4", 8887, 9998, "udp"],
      ["1.2.3.4", 8888, 9999, "udp"],
    ],
    "1.2.3.4:8887->9998/udp, 1.2.3.4:8888->9999/udp",
  ],
  [
    [
      [undefined, undefined, 9998, "udp"],
      [undefined, undefined, 9999, "udp"],
    ],
    "9998-9999/udp",
  ],
  [
    [
      ["1.2.3.4", 7777, 6677],
      [undefined, undefined, 9988, "udp"],
    ],
    "9988/udp, 1.2.3.4:7777->6677/tcp",
  ],
  [
    [
      ["1.2.3.4", 9988, 9988, "udp"],
      ["4.3.2.1", 3322, 2233],
      ["1.2.3.4", 9988, 9988],
    ],
    "1.2.3.4:9988->9988/tcp, 1.2.3.4:9988->9988/udp, 4.3.2.1:3322->2233/tcp",
  ],
  [
    [
      ["0.0.0.0", 80, 80],
      ["::", 80, 80],
    ],
    "0.0.0.0:80->80/tcp, [::]:80->80/tcp",
  ],
  [
    [
      [undefined, undefined, 1024],
      [undefined, undefined, 80, "udp"],
      [undefined, undefined, 1024, "udp"],
      ["1.1.1.1", 80, 1024],
      [undefined, undefined, 80],
      [undefined, undefined, 12345],
    ],
    "80/tcp, 80/udp, 1024/tcp, 12345/tcp, 1024/udp, 1.1.1.1:80->1024/tcp",
  ],
];

for (const [list, want] of ports) {
  test(`ports ${JSON.stringify(list)} are "${want}"`, () => {
    const summaries = list.map(([IP, PublicPort, PrivatePort, Type = "tcp"]) => ({
      IP,
      PublicPort,
      PrivatePort,
      Type,
    }));
    expect(portsColumn(summaries)).toBe(want);
  });
}

const list: ListFormat = {
  headers: { ID: "CONTAINER ID", Names: "NAMES" },
  columns: ["ID", "Names"],
};
const rows = [
  { ID: "abc", Names: "web", Label: (key: unknown) => `<${String(key)}>` },
  { ID: "def", Names: "db", Label: () => "" },
];

const formats: [string | undefined, boolean, string][] = [
  [undefined, false, "CONTAINER ID   NAMES\nabc            web\ndef            db\n"],
  ["table", false, "CONTAINER ID   NAMES\nabc            web\ndef            db\n"],
  [undefined, true, "abc\ndef\n"],
  ["{{.Names}}", true, "web\ndb\n"],
  ["{{.ID}}:{{.Names}}", false, "abc:web\ndef:db\n"],
  ["table {{.Names}}\\t{{.ID}}", false, "NAMES     CONTAINER ID\nweb       abc\ndb        def\n"],
  [
    'table {{.ID}}\t{{.Label "com.x.y"}}',
    false,
    "CONTAINER ID   y\nabc            <com.x.y>\ndef            \n",
  ],
  ["json", false, '{"ID":"abc","Names":"web"}\n{"ID":"def","Names":"db"}\n'],
  ["{{json .}}", false, '{"ID":"abc","Names":"web"}\n{"ID":"def","Names":"db"}\n'],
];

for (const [format, isQuiet, want] of formats) {
  test(`--format ${format}${isQuiet ? " --quiet" : ""}`, async () => {
    expect(await renderList(list, rows, { format, isQuiet })).toBe(want);
  });
}
