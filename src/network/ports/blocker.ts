import { chainKey } from "./firewall-rules.ts";
import type { Chain, FirewallRules } from "./firewall-rules.ts";
import type { Obstacle, Packet } from "./packet-way.ts";

/** A rule of the host that counts against a port, for people. */
export interface Blocker {
  /** `docker`, `ufw`, `firewalld`, or the table's name. */
  readonly firewall: string;
  readonly rule: string;
  /** A command that lets the port pass. */
  readonly remedy: string;
}

/** Names the program that made the rule, and says how that program is told to let the packet pass. Pure. */
export function blockerOf(rules: FirewallRules, { chain, rule }: Obstacle, packet: Packet): Blocker {
  const where = chainKey(chain.family, chain.table, chain.name);
  const firewall = makerOf(rules, chain);
  return {
    firewall,
    rule: rule === undefined ? `${where}: policy drop` : `${where}: rule ${rule.handle}`,
    remedy: remedyOf(firewall, chain, packet),
  };
}

function makerOf(rules: FirewallRules, { family, table, name }: Chain): string {
  if (table === "firewalld") return "firewalld";
  if (/^ufw6?-/.test(name)) return "ufw";
  const has = (chain: string): boolean => rules.chains.has(chainKey(family, table, chain));
  if (has("DOCKER-USER")) return "docker";
  return has("ufw-before-forward") || has("ufw6-before-forward") ? "ufw" : table;
}

function remedyOf(firewall: string, chain: Chain, packet: Packet): string {
  const { port, protocol, outInterface: bridge = "" } = packet;
  const isForwarded = packet.hook === "forward";
  const iptables = packet.family === "ip" ? "iptables" : "ip6tables";
  switch (firewall) {
    case "docker":
      // Docker's own policy drops what comes back as well.
      if (!isForwarded) return `${iptables} -I INPUT -p ${protocol} --dport ${port} -j ACCEPT`;
      return `${iptables} -I DOCKER-USER -i ${bridge} -j ACCEPT && ${iptables} -I DOCKER-USER -o ${bridge} -j ACCEPT`;
    case "ufw":
      if (!isForwarded) return `ufw allow ${port}/${protocol}`;
      return `ufw route allow in on ${bridge} && ufw route allow out on ${bridge}`;
    case "firewalld":
      if (!isForwarded) return `firewall-cmd --add-port=${port}/${protocol}`;
      return `firewall-cmd --permanent --zone=trusted --add-interface=${bridge} && firewall-cmd --reload`;
    default: {
      const condition = isForwarded ? `oifname "${bridge}"` : `${protocol} dport ${port}`;
      return `nft insert rule ${chainKey(chain.family, chain.table, chain.name)} ${condition} accept`;
    }
  }
}
