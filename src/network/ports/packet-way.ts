import { addressBytes } from "#linux/netlink/ip-address.ts";
import { chainKey } from "./firewall-rules.ts";
import type { Chain, FirewallRules, Rule, Step } from "./firewall-rules.ts";

/** The first packet of a connection, at one hook of the kernel. What is absent is not known. */
export interface Packet {
  readonly hook: "input" | "forward" | "output";
  readonly family: "ip" | "ip6";
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly inInterface?: string;
  readonly outInterface?: string;
  readonly source?: string;
  readonly destination?: string;
  readonly port: number;
  /** Its destination was rewritten on the way. */
  readonly isRedirected: boolean;
}

/** Where a packet may end. */
export interface Obstacle {
  readonly chain: Chain;
  /** Absent: the chain's policy. */
  readonly rule?: Rule;
  /** False when it depends on what is not known. */
  readonly isCertain: boolean;
}

/**
 * What keeps the packet from passing its hook, the tables in `ours` left out. Each table is asked by itself, as in the
 * kernel: what one drops no other can save. Pure.
 */
export function obstacles(rules: FirewallRules, packet: Packet, ours: ReadonlySet<string>): Obstacle[] {
  return [...rules.chains.values()]
    .filter((chain) => chain.hook === packet.hook && isOfFamily(chain, packet) && !ours.has(chain.table))
    .toSorted((left, right) => left.priority - right.priority)
    .flatMap((chain) => baseObstacle(new Walk(rules, packet), chain) ?? []);
}

function baseObstacle(walk: Walk, chain: Chain): Obstacle | undefined {
  const { outcomes, isOpen } = walk.chain(chain, 0);
  if (isOpen) outcomes.push({ chain, isCertain: true, isDrop: chain.policy === "drop" });
  const drop = outcomes.find((one) => one.isDrop);
  if (drop === undefined) return undefined;
  const decided = outcomes.every((one) => one.isDrop);
  return { chain: drop.chain, ...(drop.rule && { rule: drop.rule }), isCertain: drop.isCertain && decided };
}

interface Outcome {
  readonly chain: Chain;
  readonly rule?: Rule;
  readonly isDrop: boolean;
  readonly isCertain: boolean;
}

interface Walked {
  /** In order; all but the last are uncertain. */
  readonly outcomes: Outcome[];
  /** The packet may come out at the chain's end. */
  readonly isOpen: boolean;
}

/** Rules that jump deeper than the kernel lets them are not followed. */
const MAX_DEPTH = 16;

type Answer = "yes" | "no" | "maybe";

class Walk {
  readonly #rules: FirewallRules;
  readonly #packet: Packet;

  constructor(rules: FirewallRules, packet: Packet) {
    this.#rules = rules;
    this.#packet = packet;
  }

  chain(chain: Chain, depth: number): Walked {
    const outcomes: Outcome[] = [];
    for (const rule of chain.rules) {
      const end = this.#rule(chain, rule, depth);
      outcomes.push(...end.outcomes);
      if (!end.isOpen) return { outcomes, isOpen: end.isReturn };
    }
    return { outcomes, isOpen: true };
  }

  /** `isReturn`: it leaves the chain, and not the hook. */
  #rule(chain: Chain, rule: Rule, depth: number): Walked & { readonly isReturn: boolean } {
    const on = { outcomes: [], isOpen: true, isReturn: false };
    let answer: Answer = "yes";
    for (const step of rule.steps) {
      if (step.kind === "match" || step.kind === "unknown") {
        const met = step.kind === "match" ? isMet(step, this.#packet) : unknownMet(step.what);
        if (met === "no") return on;
        if (met === "maybe") answer = "maybe";
      }
      if (step.kind === "verdict") {
        const isCertain = answer === "yes";
        if (step.verdict === "return") return { outcomes: [], isOpen: !isCertain, isReturn: true };
        const isDrop = step.verdict === "drop";
        return { outcomes: [{ chain, rule, isDrop, isCertain }], isOpen: !isCertain, isReturn: false };
      }
      if (step.kind === "jump") return this.#jump(chain, step, { answer, depth });
    }
    return on;
  }

  #jump(
    { family, table }: Chain,
    { target, isGoto }: Step & { kind: "jump" },
    { answer, depth }: { answer: Answer; depth: number },
  ): Walked & { readonly isReturn: boolean } {
    const next = this.#rules.chains.get(chainKey(family, table, target));
    if (next === undefined || depth >= MAX_DEPTH) return { outcomes: [], isOpen: true, isReturn: false };
    const { outcomes, isOpen } = this.chain(next, depth + 1);
    if (answer === "yes") return { outcomes, isOpen: isOpen && !isGoto, isReturn: isOpen && isGoto };
    const doubted = outcomes.map((one) => ({ ...one, isCertain: false }));
    return { outcomes: doubted, isOpen: true, isReturn: false };
  }
}

function isOfFamily({ family }: Chain, packet: Packet): boolean {
  return family === "inet" || family === packet.family;
}

/** iptables' own condition on a flow's state is shown by its name alone; it lets pass what has begun, which this has not. */
function unknownMet(what: string): Answer {
  return what === "xt conntrack" ? "no" : "maybe";
}

function isMet({ left, right, isNegated }: Step & { kind: "match" }, packet: Packet): Answer {
  const answer = compare(left, right, packet);
  if (!isNegated || answer === "maybe") return answer;
  return answer === "yes" ? "no" : "yes";
}

function compare(left: string, right: unknown, packet: Packet): Answer {
  const { protocol, family } = packet;
  switch (left) {
    case "meta iifname":
      return among(right, packet.inInterface, nameMatches);
    case "meta oifname":
      return among(right, packet.outInterface, nameMatches);
    case "meta l4proto":
    case "ip protocol":
    case "ip6 nexthdr":
      return among(right, protocol, (value) => value === protocol);
    case "meta nfproto":
      return among(right, family, (value) => value === (family === "ip" ? "ipv4" : "ipv6"));
    case "ct state":
      return among(right, "new", (value) => value === "new");
    case "ct status":
      return among(right, "", (value) => value === "dnat" && packet.isRedirected);
    case "ip saddr":
    case "ip6 saddr":
      return left.startsWith(`${family} `) ? among(right, packet.source, addressMatches) : "no";
    case "ip daddr":
    case "ip6 daddr":
      return left.startsWith(`${family} `) ? among(right, packet.destination, addressMatches) : "no";
    case "tcp dport":
    case "udp dport":
    case "sctp dport":
    case "th dport":
      if (!left.startsWith(`${protocol} `) && !left.startsWith("th ")) return "no";
      return among(right, String(packet.port), portMatches);
    default:
      // A condition on another protocol's header.
      return /^(icmp|icmpv6|tcp|udp|sctp|arp) /.test(left) && !left.startsWith(protocol) ? "no" : "maybe";
  }
}

type Matches = (value: unknown, actual: string) => boolean | undefined;

/** Whether the packet's own value is what the rule names, or one of what it names. */
function among(right: unknown, actual: string | undefined, matches: Matches): Answer {
  if (actual === undefined) return "maybe";
  const values = Array.isArray(right) ? right : (setOf(right) ?? [right]);
  const answers = values.map((value: unknown) => matches(value, actual));
  if (answers.includes(true)) return "yes";
  return answers.includes(undefined) ? "maybe" : "no";
}

function setOf(value: unknown): unknown[] | undefined {
  if (typeof value !== "object" || value === null || !("set" in value)) return undefined;
  return Array.isArray(value.set) ? value.set : [value.set];
}

function nameMatches(value: unknown, actual: string): boolean | undefined {
  if (typeof value !== "string" || value.startsWith("@")) return undefined;
  return value.endsWith("*") ? actual.startsWith(value.slice(0, -1)) : value === actual;
}

function portMatches(value: unknown, actual: string): boolean | undefined {
  if (typeof value === "number") return value === Number(actual);
  if (typeof value !== "object" || value === null || !("range" in value)) return undefined;
  const [from, to]: unknown[] = Array.isArray(value.range) ? value.range : [];
  if (typeof from !== "number" || typeof to !== "number") return undefined;
  return from <= Number(actual) && Number(actual) <= to;
}

function addressMatches(value: unknown, actual: string): boolean | undefined {
  if (typeof value === "string") return value.startsWith("@") ? undefined : value === actual;
  if (typeof value !== "object" || value === null || !("prefix" in value)) return undefined;
  const { addr, len } = Object(value.prefix) as { addr?: unknown; len?: unknown };
  if (typeof addr !== "string" || typeof len !== "number") return undefined;
  return bits(addr).slice(0, len) === bits(actual).slice(0, len);
}

function bits(address: string): string {
  return Array.from(addressBytes(address), (byte) => byte.toString(2).padStart(8, "0")).join("");
}
