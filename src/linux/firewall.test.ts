import { expect } from "bun:test";
import { needs } from "../../test/needs.ts";
import { applyRules, countRules, hasTable } from "./firewall.ts";

const withNft = needs("root", "nft");
const TABLE = "dtestfirewall";

withNft("a transaction makes and removes a table, and hasTable() sees it", async () => {
  expect(hasTable(TABLE)).toBe(false);
  await applyRules(`table inet ${TABLE} {}\n`);
  expect(hasTable(TABLE)).toBe(true);
  await applyRules(`delete table inet ${TABLE}\n`);
  expect(hasTable(TABLE)).toBe(false);
});

withNft("of a transaction that nft refuses nothing takes effect, and the error holds its words", async () => {
  await expect(applyRules(`table inet ${TABLE} {}\ndelete table inet dtestmissing\n`)).rejects.toMatchObject({
    kind: "internal",
    message: expect.stringContaining("No such file or directory"),
  });
  expect(hasTable(TABLE)).toBe(false);
});

withNft("rules are counted, and jumps to chains", async () => {
  const rules = "chain b { tcp dport 1 drop; tcp dport 2 drop; }; chain a { jump b; }";
  await applyRules(`table inet ${TABLE} { ${rules}; }\n`);
  expect(countRules(TABLE)).toBe(4);
  await applyRules(`flush chain inet ${TABLE} b\n`);
  expect(countRules(TABLE)).toBe(2);
  await applyRules(`delete table inet ${TABLE}\n`);
  expect(countRules(TABLE)).toBe(0);
});
