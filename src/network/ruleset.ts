import { publishRule } from "./publish-rules.ts";
import type { Publication } from "./publish-rules.ts";

/**
 * The text of our nftables table, which `nft -f -` puts in place of the one before in a single transaction; connections
 * that stand are kept by the kernel's connection tracking. Pure.
 *
 * ```
 * guard        raw: 127/8 is reached by way of lo alone, though the bridge may carry it (route_localnet)
 * prerouting   from outside and from containers ┐
 * output       from the host itself             ┴─▶ published: one dnat rule a port, for addresses of the host
 * postrouting  hides containers behind the host where the answer would not come back otherwise
 * forward      containers go out; to them come answers and published ports, nothing else
 * ```
 */
export interface RulesetOptions {
  /** Also names the table. */
  readonly bridge: string;
  readonly subnet: string;
  readonly publications: readonly Publication[];
}

export function renderRuleset({ bridge, subnet, publications }: RulesetOptions): string {
  const inside = `"${bridge}"`;
  const chains = [
    chain("guard", "filter hook prerouting priority raw", [
      `iifname != "lo" ip daddr 127.0.0.0/8 drop`,
      `iifname ${inside} ip saddr 127.0.0.0/8 drop`,
    ]),
    chain("prerouting", "nat hook prerouting priority dstnat", ["fib daddr type local jump published"]),
    chain("output", "nat hook output priority -100", ["fib daddr type local jump published"]),
    `\tchain published {\n${publications.map((one) => `\t\t${publishRule(one)}\n`).join("")}\t}\n`,
    chain("postrouting", "nat hook postrouting priority srcnat", [
      `oifname ${inside} ip saddr 127.0.0.0/8 masquerade`,
      `oifname ${inside} ip saddr ${subnet} ct status dnat masquerade`,
      `oifname != ${inside} ip saddr ${subnet} masquerade`,
    ]),
    chain("forward", "filter hook forward priority filter", [
      `oifname ${inside} ct state established,related accept`,
      `iifname ${inside} accept`,
      `oifname ${inside} ct status dnat accept`,
      `oifname ${inside} drop`,
    ]),
  ];
  return `${renderRemoval(bridge)}table inet ${bridge} {\n${chains.join("")}}\n`;
}

/** Adds ports to a table that is in place. */
export function renderAddition(bridge: string, publications: readonly Publication[]): string {
  return publications.map((one) => `add rule inet ${bridge} published ${publishRule(one)}\n`).join("");
}

/** Removes the table, which need not exist. */
export function renderRemoval(bridge: string): string {
  return `table inet ${bridge} {}\ndelete table inet ${bridge}\n`;
}

function chain(name: string, hook: string, rules: readonly string[]): string {
  const body = rules.map((rule) => `\t\t${rule}\n`).join("");
  return `\tchain ${name} {\n\t\ttype ${hook}; policy accept;\n${body}\t}\n`;
}
