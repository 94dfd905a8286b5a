import { expect, test } from "bun:test";
import { answerTo, questionFor, summary } from "./_message-maker.ts";
import { encodeName } from "./domain-name.ts";
import { FrameReader, framed } from "./framing.ts";
import type { KnownName } from "./name-table.ts";
import { Responder } from "./responder.ts";
import type { ResponderOptions } from "./responder.ts";

const KNOWN: Readonly<Record<string, KnownName>> = {
  web: { ipv4: ["172.19.0.2"], ipv6: [] },
  many: { ipv4: Array.from({ length: 100 }, (_, i) => `172.19.1.${i}`), ipv6: [] },
  dual: { ipv4: ["172.19.0.3"], ipv6: ["fd00::3"] },
};

function responder(changes: Partial<ResponderOptions> = {}): Responder {
  const names = {
    findName: (name: string) => KNOWN[name],
    findAddress: (address: string) => (address === "172.19.0.2" ? "web.shop" : undefined),
  };
  const forward: ResponderOptions["forward"] = (message) => Promise.resolve(answerTo(message));
  return new Responder({ names, forward, keepsBareNames: () => false, random: () => 0, ...changes });
}

async function ask(message: Uint8Array, changes: Partial<ResponderOptions> = {}) {
  const reply = await responder(changes).respond(message, "udp");
  if (reply === undefined) throw new Error("no reply");
  return summary(reply);
}

test("a known name is answered with its addresses", async () => {
  expect(await ask(questionFor("WEB"))).toMatchObject({ code: 0, answers: ["172.19.0.2"] });
  expect(await ask(questionFor("dual", { type: 28 }))).toMatchObject({
    answers: [`253.0.${"0.".repeat(13)}3`],
  });
  expect((await ask(questionFor("dual", { type: 255 }))).answers).toHaveLength(2);
});

test("a known name is never asked of others, whatever the type", async () => {
  const forward = (): never => {
    throw new Error("asked");
  };
  for (const type of [28, 15, 16, 33, 65]) {
    expect(await ask(questionFor("web", { type }), { forward })).toMatchObject({ code: 0, answers: [] });
  }
});

test("an address of a container has its name", async () => {
  const { answers } = await ask(questionFor("2.0.19.172.in-addr.arpa", { type: 12 }));
  expect(answers).toEqual([encodeName("web.shop").join(".")]);
});

test("each of many containers of one name is the first in turn", () => {
  const firsts = new Set<string | undefined>();
  const many = responder({ random: Math.random });
  for (let i = 0; i < 2000; i++) {
    const reply = many.respond(questionFor("many"), "udp");
    if (reply instanceof Uint8Array) firsts.add(summary(reply).answers[0]);
  }
  expect(firsts.size).toBeGreaterThan(90);
});

test("what does not fit a datagram is cut, and comes whole by TCP", async () => {
  expect(await ask(questionFor("many"))).toMatchObject({ truncated: true });
  const whole = await responder().respond(questionFor("many"), "tcp");
  expect(summary(whole ?? new Uint8Array(0))).toMatchObject({ truncated: false });
  expect(summary(whole ?? new Uint8Array(0)).answers).toHaveLength(100);
});

test("an unknown name is asked of others, and their answer passed on", async () => {
  const reply = await ask(questionFor("example.org", { id: 77 }));
  expect(reply).toMatchObject({ id: 77, code: 0, answers: ["203.0.113.7"] });
});

test("a name of another class is not ours", async () => {
  expect(await ask(questionFor("web", { class: 3 }))).toMatchObject({ answers: ["203.0.113.7"] });
});

test("nobody's answer is a failure", async () => {
  const forward = (): Promise<undefined> => Promise.resolve(undefined);
  expect(await ask(questionFor("example.org"), { forward })).toMatchObject({ code: 2 });
});

test("a bare name stays here when the container's resolver asks for dots", async () => {
  const keepsBareNames = (): boolean => true;
  expect(await ask(questionFor("nobody"), { keepsBareNames })).toMatchObject({ code: 0, answers: [] });
  expect((await ask(questionFor("no.body"), { keepsBareNames })).answers).toHaveLength(1);
});

test("questions beyond those that wait already are refused", () => {
  const busy = responder({ forward: () => Promise.withResolvers<Uint8Array>().promise });
  const replies = Array.from({ length: 300 }, () => busy.respond(questionFor("example.org"), "udp"));
  const refused = replies.filter((one) => one instanceof Uint8Array);
  expect(refused.map((one) => summary(one).code)).toEqual(Array.from({ length: 44 }, () => 5));
});

test("what is no question has no answer", () => {
  expect(responder().respond(new Uint8Array(5), "udp")).toBeUndefined();
});

test("messages of a stream are put together however they are cut", () => {
  const messages = [questionFor("a"), new Uint8Array(0), questionFor("web.example")];
  const stream = Buffer.concat(messages.map(framed));
  for (let cut = 0; cut <= stream.length; cut++) {
    const reader = new FrameReader();
    const read = [...reader.push(stream.subarray(0, cut)), ...reader.push(stream.subarray(cut))];
    expect(read.map((one) => Buffer.from(one))).toEqual(messages.map((one) => Buffer.from(one)));
  }
});
