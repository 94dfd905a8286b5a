import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderAddition, renderRemoval, renderRuleset } from "./ruleset.ts";
import type { NetworkRules } from "./network-rules.ts";
import type { Publication } from "./publish-rules.ts";

const bridge: NetworkRules = {
  name: "darse0",
  networkName: "bridge",
  gateways: ["172.17.0.1"],
  subnets: ["172.17.0.0/16"],
  isInternal: false,
  hasIcc: true,
  masquerades: true,
  modes: { ipv4: "nat", ipv6: "nat" },
  sourceAddresses: {},
};
const base = { table: "darse0", networks: [bridge] };
/** One of each kind beside the default bridge. */
const networks: NetworkRules[] = [
  bridge,
  { ...bridge, name: "br-internal", networkName: "back", subnets: ["172.18.0.0/24"], isInternal: true },
  { ...bridge, name: "br-noicc", networkName: "apart", subnets: ["172.18.1.0/24"], hasIcc: false },
  {
    ...bridge,
    name: "br-routed",
    networkName: "lan",
    subnets: ["172.18.2.0/24", "2001:db8::/64"],
    modes: { ipv4: "nat-unprotected", ipv6: "routed" },
  },
  {
    ...bridge,
    name: "br.dual",
    networkName: "dual",
    subnets: ["172.18.3.0/24", "fd00:1::/64"],
    sourceAddresses: { ipv4: "192.0.2.7" },
  },
];
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
  ["networks", renderRuleset({ table: "darse0", networks, publications: [{ ...web, isDirect: true }] })],
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
