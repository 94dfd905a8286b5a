import { expect } from "bun:test";
import { needs } from "../../../test/needs.ts";
import { applyRules } from "../firewall.ts";
import { watchFirewall } from "./firewall-watch.ts";

const withNft = needs("root", "nft");
const TABLE = "dtestwatch";

/** Resolves when something of our table was removed; other programs' tables are passed over. */
async function watched(rules: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  using _watch = await watchFirewall({
    removed: (table) => (table === TABLE ? resolve(table) : undefined),
    missed: () => resolve("missed"),
    failed: reject,
  });
  await applyRules(rules);
  return await promise;
}

for (const [what, rules] of [
  ["a rule", `flush chain inet ${TABLE} a`],
  ["all rules", `flush table inet ${TABLE}`],
  ["the table", `delete table inet ${TABLE}`],
] as const) {
  withNft(`${what} of a table that goes is told of`, async () => {
    await applyRules(`table inet ${TABLE} { chain a { tcp dport 1 drop; }; }\n`);
    expect(await watched(`${rules}\n`)).toBe(TABLE);
    await applyRules(`table inet ${TABLE} {}\ndelete table inet ${TABLE}\n`);
  });
}
