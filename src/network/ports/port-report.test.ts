import { expect, test } from "bun:test";
import { decodeFirewallRules } from "./firewall-rules.ts";
import { reportPorts } from "./port-report.ts";
import type { PortReport, PublishingContainer, ReachState } from "./port-report.ts";

type Json = Record<string, unknown>;

const NOTHING: readonly Json[] = [];
const port = (hostIp: string) => ({ containerPort: 80, protocol: "tcp" as const, hostIp, hostPort: 8080 });

function web(...hostIps: string[]): PublishingContainer {
  const network = { name: "shop", ipv4: "172.19.0.2", bridge: "br-shop" };
  return { id: "1", name: "web", networks: [network], ports: hostIps.map(port) };
}

function report(objects: readonly Json[], container = web("0.0.0.0")): PortReport[] {
  const rules = decodeFirewallRules({ nftables: [{ metainfo: { version: "1" } }, ...objects] });
  return reportPorts(container, { rules, ours: new Set(["darse0"]), uplink: "eth0" });
}

function states([first]: readonly PortReport[]): string {
  return `${first?.loopback.state} ${first?.outside.state} ${first?.containers.state}`;
}

let handle = 0;
const chain = (name: string, more: Json = {}, table = "filter"): Json => ({
  chain: { family: "ip", table, name, handle: ++handle, ...more },
});
const forward = (policy: string, table = "filter"): Json =>
  chain("FORWARD", { type: "filter", hook: "forward", prio: 0, policy }, table);
const rule = (inChain: string, ...expr: unknown[]): Json => ({
  rule: { family: "ip", table: "filter", chain: inChain, handle: 7, expr },
});
const match = (left: Json, right: unknown, op = "=="): Json => ({ match: { op, left, right } });
const out = (name: string, op = "=="): Json => match({ meta: { key: "oifname" } }, name, op);
const into = (name: string): Json => match({ meta: { key: "iifname" } }, name);
const field = (protocol: string, name: string, right: unknown): Json =>
  match({ payload: { protocol, field: name } }, right);
const jump = (target: string): Json => ({ jump: { target } });
const accept = { accept: null };
const drop = { drop: null };

const REACH: readonly (readonly [what: string, rules: readonly Json[], outside: ReachState])[] = [
  ["no rules at all", NOTHING, "open"],
  ["a policy that accepts", [forward("accept")], "open"],
  ["a policy that drops", [forward("drop")], "blocked"],
  ["our own table", [forward("drop", "darse0")], "open"],
  ["an exception for the bridge", [forward("drop"), rule("FORWARD", out("br-shop"), accept)], "open"],
  ["an exception for bridges by pattern", [forward("drop"), rule("FORWARD", out("br-*"), accept)], "open"],
  ["an exception for another bridge", [forward("drop"), rule("FORWARD", out("docker0"), accept)], "blocked"],
  [
    "an exception for all but another",
    [forward("drop"), rule("FORWARD", out("docker0", "!="), accept)],
    "open",
  ],
  ["an exception for another device", [forward("drop"), rule("FORWARD", into("wg0"), accept)], "blocked"],
  [
    "an exception for the port, which is the container's here",
    [forward("drop"), rule("FORWARD", field("tcp", "dport", { set: [22, { range: [79, 81] }] }), accept)],
    "open",
  ],
  [
    "an exception for the host's port",
    [forward("drop"), rule("FORWARD", field("tcp", "dport", 8080), accept)],
    "blocked",
  ],
  [
    "an exception for another protocol",
    [forward("drop"), rule("FORWARD", field("udp", "dport", 80), accept)],
    "blocked",
  ],
  [
    "an exception for the container's network",
    [
      forward("drop"),
      rule("FORWARD", field("ip", "daddr", { prefix: { addr: "172.19.0.0", len: 16 } }), accept),
    ],
    "open",
  ],
  [
    "an exception for flows that stand",
    [forward("drop"), rule("FORWARD", match({ ct: { key: "state" } }, ["established", "related"]), accept)],
    "blocked",
  ],
  [
    "the same in the words of iptables",
    [forward("drop"), rule("FORWARD", { xt: { type: "match", name: "conntrack" } }, accept)],
    "blocked",
  ],
  [
    "an exception for what was redirected",
    [forward("drop"), rule("FORWARD", match({ ct: { key: "status" } }, "dnat", "in"), accept)],
    "open",
  ],
  [
    "a drop for some askers",
    [forward("accept"), rule("FORWARD", field("ip", "saddr", "192.0.2.9"), drop)],
    "unclear",
  ],
  [
    "an exception for some askers",
    [forward("drop"), rule("FORWARD", field("ip", "saddr", "192.0.2.9"), accept)],
    "unclear",
  ],
  [
    "a refusal",
    [
      forward("accept"),
      rule("FORWARD", out("br-shop"), { counter: { packets: 1 } }, { reject: { type: "tcp reset" } }),
    ],
    "blocked",
  ],
  [
    "a chain that decides",
    [forward("drop"), chain("own"), rule("FORWARD", jump("own")), rule("own", out("br-shop"), accept)],
    "open",
  ],
  [
    "a chain that returns before it decides",
    [
      forward("drop"),
      chain("own"),
      rule("FORWARD", jump("own")),
      rule("own", { return: null }),
      rule("own", accept),
    ],
    "blocked",
  ],
  [
    "a chain that is gone to and ends",
    [forward("drop"), chain("own"), rule("FORWARD", { goto: { target: "own" } }), rule("FORWARD", accept)],
    "blocked",
  ],
  [
    "a chain that calls itself",
    [forward("drop"), chain("own"), rule("FORWARD", jump("own")), rule("own", jump("own"))],
    "blocked",
  ],
  ["a table that accepts after one that drops", [forward("drop"), forward("accept", "other")], "blocked"],
];

for (const [what, rules, outside] of REACH) {
  test(`${what}: ${outside} from outside`, () => {
    expect(report(rules)[0]?.outside.state).toBe(outside);
  });
}

test("each address is for those who can mean it", () => {
  expect(states(report(NOTHING, web("0.0.0.0")))).toBe("open open open");
  expect(states(report(NOTHING, web("127.0.0.1")))).toBe("open not-published not-published");
  expect(states(report(NOTHING, web("192.0.2.2")))).toBe("not-published open open");
  expect(states(report(NOTHING, web("::1")))).toBe("open not-published not-published");
});

test("a forward chain does not stand between the host and its containers", () => {
  expect(states(report([forward("drop")]))).toBe("open blocked blocked");
});

test("what the proxy carries comes by the chain input", () => {
  const input = { family: "ip6", type: "filter", hook: "input", prio: 0, policy: "drop" };
  const rules = [chain("INPUT", input), chain("ufw6-before-forward", { family: "ip6" })];
  const [ipv6] = report(rules, web("::"));
  expect(ipv6).toMatchObject({ carriedBy: "proxy", outside: { state: "blocked" } });
  expect(ipv6?.outside.blockers).toEqual([
    { firewall: "ufw", rule: "ip6 filter INPUT: policy drop", remedy: "ufw allow 8080/tcp" },
  ]);
  const [ipv4] = report(rules, web("0.0.0.0"));
  expect(ipv4).toMatchObject({ carriedBy: "kernel", outside: { state: "open" } });
});

const ALLOW = "iptables -I DOCKER-USER -i br-shop -j ACCEPT && iptables -I DOCKER-USER -o br-shop -j ACCEPT";
const BLOCKERS: readonly (readonly [
  firewall: string,
  rules: readonly Json[],
  rule: string,
  remedy: string,
])[] = [
  ["docker", [forward("drop"), chain("DOCKER-USER")], "ip filter FORWARD: policy drop", ALLOW],
  [
    "ufw",
    [forward("drop"), chain("ufw-before-forward")],
    "ip filter FORWARD: policy drop",
    "ufw route allow in on br-shop && ufw route allow out on br-shop",
  ],
  [
    "firewalld",
    [forward("drop", "firewalld")],
    "ip firewalld FORWARD: policy drop",
    "firewall-cmd --permanent --zone=trusted --add-interface=br-shop && firewall-cmd --reload",
  ],
  [
    "filter",
    [forward("accept"), rule("FORWARD", out("br-shop"), drop)],
    "ip filter FORWARD: rule 7",
    'nft insert rule ip filter FORWARD oifname "br-shop" accept',
  ],
];

for (const [firewall, rules, text, remedy] of BLOCKERS) {
  test(`a rule of ${firewall} is named, and what lets the port pass`, () => {
    expect(report(rules)[0]?.outside.blockers).toEqual([{ firewall, rule: text, remedy }]);
  });
}

test("without a look at the rules nothing is sure", () => {
  const ports = reportPorts(web("0.0.0.0", "127.0.0.1"), { ours: new Set() });
  expect(states(ports)).toBe("unclear unclear unclear");
  expect(ports[1]?.outside.state).toBe("not-published");
});

test("what nft never wrote is refused, what is new in it is doubt", () => {
  expect(() => decodeFirewallRules({ nftables: 3 })).toThrow("nftables");
  const odd = [forward("accept"), rule("FORWARD", { quantum: {} }, drop), rule("FORWARD", 5)];
  odd.push(rule("FORWARD", match({ concat: [{ meta: { key: "iifname" } }] }, { set: [] }), accept));
  expect(report(odd)[0]?.outside.state).toBe("unclear");
});
