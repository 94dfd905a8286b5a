/**
 * The text of our nftables table, which `nft -f -` puts in place of the one before in a single transaction; connections
 * that stand are kept by the kernel's connection tracking. Pure.
 *
 * ```
 * guard        raw: 127/8 is reached by way of lo alone, though bridges may carry it (route_localnet)
 * prerouting   from outside and from containers ┐
 * output       from the host itself             ┴─▶ published: one dnat rule a port, for addresses of the host
 * postrouting  hides containers behind the host where the answer would not come back otherwise
 * forward      answers pass; then, by the bridge: from_<bridge> keeps an internal network in,
 *              to_<bridge> lets in what its network allows; what touches no bridge of ours is not judged
 * opened       published ports of networks whose containers are reached at their own addresses
 * ```
 */
import { forwardChains, forwardRules, guardRules, sourceRules } from "./network-rules.ts";
import type { NetworkRules } from "./network-rules.ts";
import { openRule, publishRule } from "./publish-rules.ts";
import type { Publication } from "./publish-rules.ts";

export interface RulesetOptions {
  readonly table: string;
  readonly networks: readonly NetworkRules[];
  readonly publications: readonly Publication[];
}

export function renderRuleset({ table, networks, publications }: RulesetOptions): string {
  const chains = [
    base("guard", "filter hook prerouting priority raw", [
      `iifname != "lo" ip daddr 127.0.0.0/8 drop`,
      ...guardRules(networks),
    ]),
    base("prerouting", "nat hook prerouting priority dstnat", ["fib daddr type local jump published"]),
    base("output", "nat hook output priority -100", ["fib daddr type local jump published"]),
    chain("published", publications.filter(({ isDirect }) => !isDirect).map(publishRule)),
    base("postrouting", "nat hook postrouting priority srcnat", networks.flatMap(sourceRules)),
    chain("opened", publications.filter(({ isDirect }) => isDirect).map(openRule)),
    ...forwardChains(networks).map(([name, rules]) => chain(name, rules)),
    base("forward", "filter hook forward priority filter", forwardRules(networks)),
  ];
  return `${renderRemoval(table)}table inet ${table} {\n${chains.join("")}}\n`;
}

/** Adds ports to a table that is in place. */
export function renderAddition(table: string, publications: readonly Publication[]): string {
  return publications
    .map((one) =>
      one.isDirect
        ? `add rule inet ${table} opened ${openRule(one)}\n`
        : `add rule inet ${table} published ${publishRule(one)}\n`,
    )
    .join("");
}

/** Removes the table, which need not exist. */
export function renderRemoval(table: string): string {
  return `table inet ${table} {}\ndelete table inet ${table}\n`;
}

function base(name: string, hook: string, rules: readonly string[]): string {
  return chain(name, rules, `\t\ttype ${hook}; policy accept;\n`);
}

function chain(name: string, rules: readonly string[], head = ""): string {
  return `\tchain ${name} {\n${head}${rules.map((rule) => `\t\t${rule}\n`).join("")}\t}\n`;
}
