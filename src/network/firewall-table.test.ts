import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { FirewallTable } from "./firewall-table.ts";
import type { Publication } from "./ruleset.ts";

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

/** A table whose transactions are kept, and each answered by the next of `answers`. */
function open(...answers: (Error | undefined)[]): { table: FirewallTable; sent: string[] } {
  const sent: string[] = [];
  const table = new FirewallTable("t0", "172.17.0.0/16", async (text) => {
    sent.push(text);
    await Promise.resolve();
    const failure = answers.shift();
    if (failure) throw failure;
  });
  return { table, sent };
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

test("forget() makes the next call write the table", async () => {
  const { table, sent } = open();
  await table.ensure();
  table.forget();
  await table.ensure();
  expect(sent).toHaveLength(2);
});

test("remove() leaves no table", async () => {
  const { table, sent } = open();
  await table.publish([port(1)]);
  await table.remove();
  expect(sent[1]).toBe("table inet t0 {}\ndelete table inet t0\n");
});
