import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderAddition, renderRemoval, renderRuleset } from "./ruleset.ts";
import type { Publication } from "./publish-rules.ts";

const base = { bridge: "darse0", subnet: "172.17.0.0/16" };
const web: Publication = {
  protocol: "tcp",
  hostIp: "0.0.0.0",
  hostPort: 8080,
  address: "172.17.0.2",
  containerPort: 80,
  comment: "web (0123456789ab) on bridge",
};
const dns: Publication = { ...web, protocol: "udp", hostIp: "127.0.0.1", hostPort: 5353, containerPort: 53 };

const GOLDEN: [string, string][] = [
  ["no-ports", renderRuleset({ ...base, publications: [] })],
  ["ports", renderRuleset({ ...base, publications: [web, dns] })],
  ["addition", renderAddition("darse0", [web, dns])],
  ["removal", renderRemoval("darse0")],
];

for (const [name, text] of GOLDEN) {
  test(`rules: ${name}`, () => {
    const path = join(import.meta.dir, "testdata/ruleset", `${name}.nft`);
    if (process.env["UPDATE_GOLDEN"]) writeFileSync(path, text);
    expect(text).toBe(readFileSync(path, "utf8"));
  });
}

test("a name can not leave its comment", () => {
  const text = renderAddition("darse0", [{ ...web, comment: 'a"\n} drop; \\ {$x}' }]);
  expect(text).toEndWith('comment "a___ drop_ _ __x_"\n');
});

test("a comment is no longer than nftables takes", () => {
  const text = renderAddition("darse0", [{ ...web, comment: "x".repeat(500) }]);
  expect(/comment "(.*)"/.exec(text)?.[1]).toHaveLength(120);
});
