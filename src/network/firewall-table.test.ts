import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { SetElement } from "#linux/netlink/set-elements.ts";
import { FirewallTable } from "./firewall-table.ts";
import type { Station } from "./neighbour-rules.ts";
import type { Publication } from "./publish-rules.ts";

function port(hostPort: number): Publication {
  return {
    protocol: "tcp",
    hostIp: "0.0.0.0",
    hostPort,
    address: "172.17.0.2",
    containerPort: 80,
    comment: "x",
  };
}

interface Opened {
  readonly table: FirewallTable;
  readonly sent: string[];
  readonly changes: string[];
  /** Takes every rule out of the table, as another program might. */
  readonly flush: () => void;
}

/** A table whose transactions are kept, and each answered by the next of `answers`. */
function open(...answers: (Error | undefined)[]): Opened {
  const sent: string[] = [];
  let rules = 0;
  const apply = async (text: string): Promise<void> => {
    sent.push(text);
    await Promise.resolve();
    const failure = answers.shift();
    if (failure) throw failure;
    const lines = text.split("\n").filter((line) => /^\t\t|^add rule/.test(line)).length;
    rules = text.includes("delete table") ? lines : rules + lines;
  };
  const changes: string[] = [];
  const elements = {
    add: (_table: string, some: readonly SetElement[]) =>
      void changes.push(...some.map(({ set }) => `add ${set}`)),
    remove: (_table: string, some: readonly SetElement[]) =>
      void changes.push(...some.map(({ set }) => `remove ${set}`)),
  };
  const table = new FirewallTable({ table: "t0", apply, count: () => rules, elements });
  return { table, sent, changes, flush: () => void (rules = 0) };
}

const refused = new EngineError("internal", "Cannot apply firewall rules: nft answered 1");

test("the first call writes the whole table, the same again nothing", async () => {
  const { table, sent } = open();
  await table.publish([port(1)]);
  await table.publish([port(1)]);
  await table.ensure();
  expect(sent).toHaveLength(1);
  expect(sent[0]).toContain("delete table inet t0");
});

test("a port that comes is added in place", async () => {
  const { table, sent } = open();
  await table.publish([port(1)]);
  await table.publish([port(1), port(2)]);
  expect(sent[1]).toBe('add rule inet t0 published tcp dport 2 dnat ip to 172.17.0.2:80 comment "x"\n');
});

for (const [name, next] of [
  ["goes", []],
  ["is replaced", [port(2)]],
] as const) {
  test(`when a port ${name} the table is written anew`, async () => {
    const { table, sent } = open();
    await table.publish([port(1)]);
    await table.publish(next);
    expect(sent[1]).toContain("delete table inet t0");
  });
}

test("a table that somebody removed is written anew", async () => {
  const { table, sent } = open(undefined, refused);
  await table.publish([]);
  await table.publish([port(1)]);
  expect(sent).toHaveLength(3);
  expect(sent[2]).toContain("chain published");
  expect(sent[2]).toContain("dport 1 ");
});

test("callers of one moment share a transaction", async () => {
  const { table, sent } = open();
  const first = table.publish([port(1)]);
  const second = table.publish([port(1), port(2)]);
  const third = table.publish([port(1), port(2), port(3)]);
  await Promise.all([first, second, third]);
  expect(sent).toHaveLength(2);
  expect(sent[1]).toContain("dport 3 ");
});

test("a refusal reaches the caller, and the next call tries again", async () => {
  const { table, sent } = open(refused);
  await expect(table.publish([port(1)])).rejects.toThrow("nft answered 1");
  await table.publish([port(1)]);
  expect(sent).toHaveLength(2);
});

test("a table that was emptied is found by check(), and written anew", async () => {
  const { table, sent, flush } = open();
  await table.publish([port(1)]);
  expect(table.check()).toBe(true);
  flush();
  expect(table.check()).toBe(false);
  await table.ensure();
  expect(sent[1]).toBe(sent[0] ?? "");
  expect(table.check()).toBe(true);
});

test("a table that was emptied is written anew when a port comes", async () => {
  const { table, sent, flush } = open();
  await table.publish([port(1)]);
  flush();
  await table.publish([port(1), port(2)]);
  expect(sent).toHaveLength(3);
  expect(sent[2]).toContain("dport 1 ");
});

test("check() does not judge a table that is being written", async () => {
  const { table } = open();
  const writing = table.ensure();
  expect(table.check()).toBe(true);
  await writing;
});

test("remove() leaves no table", async () => {
  const { table, sent } = open();
  await table.publish([port(1)]);
  await table.remove();
  expect(sent[1]).toBe(
    "table inet t0 {}\ndelete table inet t0\ntable bridge t0 {}\ndelete table bridge t0\n",
  );
});

const station: Station = { address: "10.0.0.2", owner: { hostInterface: "veth1", mac: "02:00:00:00:00:01" } };

test("a station that comes before the table is written with it, one that comes later is put into it", async () => {
  const { table, sent, changes } = open();
  table.admit([station]);
  await table.ensure();
  expect(sent[0]).toContain('"veth1" . 02:00:00:00:00:01 . 10.0.0.2');
  table.admit([{ ...station, address: "10.0.0.3" }]);
  table.dismiss([station]);
  expect(changes).toEqual(["add stations", "add addresses", "remove stations", "remove addresses"]);
  await table.ensure();
  expect(sent).toHaveLength(1);
});

test("a station that comes while the table is being written is not forgotten", async () => {
  const { table, sent } = open();
  const writing = table.ensure();
  table.admit([station]);
  await writing;
  expect(sent.at(-1)).toContain("10.0.0.2");
});
