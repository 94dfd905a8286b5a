import { expect, test } from "bun:test";
import { answerTo, questionFor, summary } from "./_message-maker.ts";
import { exchange } from "./exchange.ts";
import type { OpenUpstream, UpstreamEvents } from "./exchange.ts";
import { chooseUpstreams } from "./upstreams.ts";
import type { UpstreamChoice } from "./upstreams.ts";

/** What an upstream does with a question. */
type Behaviour = (asked: Uint8Array, events: UpstreamEvents) => void;

const answers: Behaviour = (asked, events) => events.received(answerTo(asked));
const fails: Behaviour = (asked, events) => events.received(answerTo(asked, [], 2));
const isSilent: Behaviour = () => undefined;
const isGone: Behaviour = (_, events) => events.failed();
const cannotBeReached: Behaviour = () => {
  throw new Error("ENETUNREACH");
};

async function ask(behaviours: readonly Behaviour[], changes = {}) {
  const asked: string[] = [];
  let open = 0;
  const link: OpenUpstream = ({ address }, _transport, events) => {
    asked.push(address);
    open++;
    const send = (message: Uint8Array): void => behaviours[Number(address)]?.(message, events);
    return { send, close: () => open-- };
  };
  const upstreams = behaviours.map((_, i) => ({ address: String(i), from: "container" as const }));
  const options = { open: link, upstreams, transport: "udp" as const, patienceMs: 5, deadlineMs: 1000 };
  const reply = await exchange(questionFor("example.org"), { ...options, ...changes });
  expect(open).toBe(0);
  return { asked: asked.length, reply: reply && summary(reply) };
}

const OUTCOMES: readonly (readonly [string, readonly Behaviour[], number, number | undefined])[] = [
  ["one that answers", [answers, answers], 1, 0],
  ["one that fails, then one that answers", [fails, answers], 2, 0],
  ["one that is silent, then one that answers", [isSilent, answers], 2, 0],
  ["one that is gone, then one that answers", [isGone, answers], 2, 0],
  ["one that cannot be reached, then one that answers", [cannotBeReached, answers], 2, 0],
  ["none but one that fails", [fails], 1, 2],
  ["all gone", [isGone, cannotBeReached], 2, undefined],
  ["one that fails, one gone", [fails, isGone], 2, 2],
  ["nobody", [], 0, undefined],
];

for (const [who, behaviours, asked, code] of OUTCOMES) {
  test(`upstreams: ${who}`, async () => {
    const outcome = await ask(behaviours);
    expect({ asked: outcome.asked, code: outcome.reply?.code }).toEqual({ asked, code });
  });
}

test("an answer that comes late is still taken", async () => {
  let late = (): void => undefined;
  const first: Behaviour = (asked, events) => {
    late = () => events.received(answerTo(asked, [203, 0, 113, 1]));
  };
  const outcome = await ask([first, () => late()]);
  expect(outcome.reply?.answers).toEqual(["203.0.113.1"]);
});

test("all silent: given up at the deadline", async () => {
  expect((await ask([isSilent, isSilent], { deadlineMs: 20 })).reply).toBeUndefined();
});

test("a forged answer is waited past", async () => {
  const forged: Behaviour = (asked, events) => {
    events.received(answerTo(asked.with(0, (asked[0] ?? 0) ^ 1), [6, 6, 6, 6]));
    events.received(answerTo(questionFor("evil.example"), [6, 6, 6, 6]));
    events.received(answerTo(asked));
  };
  expect((await ask([forged])).reply?.answers).toEqual(["203.0.113.7"]);
});

test("each question to an upstream has an id of its own", async () => {
  const ids = new Set<number>();
  const noted: Behaviour = (asked, events) => {
    ids.add(((asked[0] ?? 0) << 8) | (asked[1] ?? 0));
    events.received(answerTo(asked));
  };
  for (let i = 0; i < 40; i++) await ask([noted]);
  expect(ids.size).toBeGreaterThan(35);
});

const CHOICES: readonly (readonly [string, Partial<UpstreamChoice>, string[]])[] = [
  ["the host's servers", {}, ["container 192.0.2.53", "container 192.0.2.54"]],
  ["the host's stub, from the host", { hostText: "nameserver 127.0.0.53" }, ["host 127.0.0.53"]],
  ["the host's by IPv6, from the host", { hostText: "nameserver fd00::1" }, ["host fd00::1"]],
  ["the host's by IPv6 with IPv6", { hostText: "nameserver fd00::1", hasIpv6: true }, ["container fd00::1"]],
  ["those asked for", { overrides: { servers: ["10.0.0.1"] } }, ["container 10.0.0.1"]],
  ["public ones when the host has none", { hostText: "" }, ["container 8.8.8.8", "container 8.8.4.4"]],
  ["none of the host's without a way out", { hasWayOut: false }, []],
  [
    "those asked for without a way out",
    { hasWayOut: false, overrides: { servers: ["10.0.0.1", "127.0.0.11"] } },
    ["container 10.0.0.1"],
  ],
  [
    "three at most",
    { overrides: { servers: ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"] } },
    ["container 1.1.1.1", "container 2.2.2.2", "container 3.3.3.3"],
  ],
];

for (const [what, changes, upstreams] of CHOICES) {
  test(`upstreams of a container: ${what}`, () => {
    const hostText = "nameserver 192.0.2.53\nnameserver 192.0.2.54\n";
    const chosen = chooseUpstreams({ hostText, hasWayOut: true, hasIpv6: false, ...changes });
    expect(chosen.map(({ address, from }) => `${from} ${address}`)).toEqual(upstreams);
  });
}
