import { Fields } from "#base/decode.ts";

/**
 * The host's firewall as `nft --json list ruleset` tells it, as far as the way of a packet depends on it. Pure.
 * Source: libnftables-json(5).
 */
export interface FirewallRules {
  /** By family, table and name: `chainKey`. */
  readonly chains: ReadonlyMap<string, Chain>;
}

export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Present on a chain that the kernel calls itself. */
  readonly hook?: string;
  readonly priority: number;
  readonly policy: "accept" | "drop";
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly handle: number;
  /** Conditions and what is done, in order. */
  readonly steps: readonly Step[];
}

export type Step =
  | { readonly kind: "match"; readonly left: string; readonly isNegated: boolean; readonly right: unknown }
  /** A condition that nft shows by its name alone, or that we do not know. */
  | { readonly kind: "unknown"; readonly what: string }
  | { readonly kind: "verdict"; readonly verdict: "accept" | "drop" | "return" }
  | { readonly kind: "jump"; readonly target: string; readonly isGoto: boolean }
  /** Neither decides nor asks: counters, logs, marks. */
  | { readonly kind: "effect" };

export function chainKey(family: string, table: string, name: string): string {
  return `${family} ${table} ${name}`;
}

/** @throws {EngineError} invalid for what nft does not write */
export function decodeFirewallRules(value: unknown): FirewallRules {
  const chains = new Map<string, Chain>();
  const rules = new Map<string, Rule[]>();
  for (const [kind, fields] of objectsOf(value)) {
    const text = (key: string): string => fields.string(key) ?? "";
    if (kind === "chain") {
      const key = chainKey(text("family"), text("table"), text("name"));
      const hook = fields.string("hook");
      rules.set(key, []);
      chains.set(key, {
        family: text("family"),
        table: text("table"),
        name: text("name"),
        ...(hook !== undefined && { hook }),
        priority: fields.integer("prio") ?? 0,
        policy: text("policy") === "drop" ? "drop" : "accept",
        rules: rules.get(key) ?? [],
      });
    } else if (kind === "rule") {
      const steps = fields.list("expr", decodeStep) ?? [];
      const key = chainKey(text("family"), text("table"), text("chain"));
      rules.get(key)?.push({ handle: fields.integer("handle") ?? 0, steps });
    }
  }
  return { chains };
}

function* objectsOf(value: unknown): Generator<readonly [string, Fields]> {
  const entries = new Fields(value, "ruleset").list("nftables", (entry) => entry) ?? [];
  for (const entry of entries) {
    if (typeof entry !== "object" || entry === null) continue;
    for (const [kind, object] of Object.entries(entry)) {
      // What else there is has forms of its own.
      if (kind === "chain" || kind === "rule") yield [kind, new Fields(object, kind)];
    }
  }
}

const EFFECTS: ReadonlySet<string> = new Set(["counter", "log", "mangle", "notrack", "comment"]);

function decodeStep(value: unknown): Step {
  if (typeof value !== "object" || value === null) return { kind: "unknown", what: String(value) };
  const [[name, body] = ["", undefined]] = Object.entries(value);
  if (name === "accept" || name === "drop" || name === "return") return { kind: "verdict", verdict: name };
  if (name === "reject") return { kind: "verdict", verdict: "drop" };
  if (name === "jump" || name === "goto") {
    const target = new Fields(body, name).string("target") ?? "";
    return { kind: "jump", target, isGoto: name === "goto" };
  }
  if (name === "match") return decodeMatch(new Fields(body, name));
  if (EFFECTS.has(name)) return { kind: "effect" };
  if (name === "xt") return { kind: "unknown", what: `xt ${new Fields(body, name).string("name") ?? ""}` };
  return { kind: "unknown", what: name };
}

function decodeMatch(fields: Fields): Step {
  const op = fields.string("op") ?? "==";
  const left = leftText(fields.raw("left"));
  if (left === undefined || !["==", "!=", "in"].includes(op)) return { kind: "unknown", what: `match ${op}` };
  return { kind: "match", left, isNegated: op === "!=", right: fields.raw("right") };
}

/** `meta oifname`, `ip daddr`, `tcp dport`, `ct state`; `undefined` for anything longer. */
function leftText(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const [[kind, body] = ["", undefined]] = Object.entries(value);
  if (kind !== "meta" && kind !== "ct" && kind !== "payload") return undefined;
  const fields = new Fields(body, kind);
  if (kind !== "payload") return `${kind} ${fields.string("key") ?? ""}`;
  return `${fields.string("protocol") ?? ""} ${fields.string("field") ?? ""}`;
}
