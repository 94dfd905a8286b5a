import { expect, test } from "bun:test";
import fc from "fast-check";
import { answerTo, questionFor, summary } from "./_message-maker.ts";
import { CODE, encodeReply, readQuery, readUpstreamReply, relayedReply, TYPE, withId } from "./message.ts";
import type { Query } from "./message.ts";

function query(message: Uint8Array): Query {
  const read = readQuery(message);
  if (read.kind !== "query") throw new Error(`read as ${read.kind}`);
  return read.query;
}

test("a question is read", () => {
  const read = query(questionFor("WEB.shop", { id: 7, type: 28, edns: 4000 }));
  expect(read).toMatchObject({ id: 7, name: "web.shop", type: 28, class: 1, datagramBytes: 4000 });
});

test("an asker without EDNS takes 512 bytes, and so does one that says less", () => {
  expect(query(questionFor("a")).datagramBytes).toBe(512);
  expect(query(questionFor("a", { edns: 100 })).datagramBytes).toBe(512);
});

const REFUSED: readonly (readonly [string, Uint8Array, number])[] = [
  ["another operation", questionFor("a", { flags: 0x2800 }), CODE.notDone],
  ["two questions", Uint8Array.of(...questionFor("a").with(5, 2), 1, 97, 0, 0, 1, 0, 1), CODE.malformed],
  ["answers in it", questionFor("a").with(7, 1), CODE.malformed],
  ["a cut question", questionFor("abc").subarray(0, 18), CODE.malformed],
  ["a compressed question", questionFor("a").with(12, 0xc0), CODE.malformed],
  ["an additional record that is not there", questionFor("a").with(11, 1), CODE.malformed],
  ["a later version of EDNS", questionFor("a", { edns: 512, ednsVersion: 1 }), 16],
];

for (const [what, message, code] of REFUSED) {
  test(`a message with ${what} is refused`, () => {
    const read = readQuery(message);
    expect(read).toMatchObject({ kind: "refused", code });
    if (read.kind !== "refused") return;
    const reply = encodeReply(read.query, { code: read.code, limitBytes: 512 });
    expect(summary(reply)).toMatchObject({ id: 0x1234, code: code & 0xf, answers: [] });
  });
}

test("an answer, or less than a header, is not answered", () => {
  expect(readQuery(questionFor("a", { flags: 0x8180 })).kind).toBe("ignored");
  expect(readQuery(new Uint8Array(11)).kind).toBe("ignored");
});

test("any bytes are read, refused or passed over", () => {
  const mutated = fc
    .tuple(fc.array(fc.tuple(fc.nat(60), fc.nat(255))), fc.nat(80))
    .map(([changes, length]) => {
      let message = questionFor("web.shop.example", { edns: 1232 });
      for (const [at, byte] of changes) if (at < message.length) message = message.with(at, byte);
      return message.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (bytes) => {
      const read = readQuery(bytes);
      if (read.kind === "ignored") return;
      const reply = encodeReply(read.query, { code: CODE.failure, limitBytes: 512 });
      expect(reply.length).toBeLessThanOrEqual(512);
      expect(reply.subarray(0, 2)).toEqual(bytes.subarray(0, 2));
    }),
  );
});

test("a reply holds the question as it was asked, and its answers", () => {
  const asked = query(questionFor("Web", { edns: 4096 }));
  const answers = [{ type: TYPE.A, ttlSeconds: 600, data: Uint8Array.of(172, 19, 0, 2) }];
  const reply = encodeReply(asked, { code: CODE.success, answers, limitBytes: 512 });
  expect(Buffer.from(reply).toString("hex")).toBe(
    "123481800001000100000001" + // header: a response, recursion desired and available
      "03576562000001" + // Web, A
      "0001" +
      "c00c00010001000002580004ac130002" + // the question's name, A, 600 s, 172.19.0.2
      "00002904d0000000000000", // OPT: 1232 bytes
  );
});

test("answers that do not fit are left out, and the reply says so", () => {
  fc.assert(
    fc.property(fc.nat(200), fc.integer({ min: 512, max: 2000 }), (count, limitBytes) => {
      const one = { type: TYPE.AAAA, ttlSeconds: 600, data: new Uint8Array(16) };
      const answers = Array.from({ length: count }, () => one);
      const reply = encodeReply(query(questionFor("web", { edns: 4096 })), { code: 0, answers, limitBytes });
      const { length, truncated, answers: held } = summary(reply);
      expect(length).toBeLessThanOrEqual(limitBytes);
      expect(truncated).toBe(held.length < count);
      if (truncated) expect(length + 28).toBeGreaterThan(limitBytes);
    }),
  );
});

test("an upstream's answer is taken when id and question are those that were asked", () => {
  const asked = questionFor("example.org");
  const good = answerTo(asked);
  expect(readUpstreamReply(good, asked)).toEqual({ code: 0, isTruncated: false });
  expect(readUpstreamReply(answerTo(questionFor("EXAMPLE.org")), asked)).toBeDefined();
  expect(readUpstreamReply(answerTo(asked, [], 3), asked)).toEqual({ code: 3, isTruncated: false });
});

const FORGED: readonly (readonly [string, Uint8Array])[] = [
  ["another id", answerTo(questionFor("example.org", { id: 1 }))],
  ["another name", answerTo(questionFor("example.com"))],
  ["a longer name", answerTo(questionFor("example.org.evil"))],
  ["another type", answerTo(questionFor("example.org", { type: 33 }))],
  ["the question sent back", questionFor("example.org")],
  ["no question", answerTo(questionFor("example.org")).with(5, 0)],
  ["nothing", new Uint8Array(0)],
];

for (const [what, message] of FORGED) {
  test(`an upstream's answer with ${what} is not taken`, () => {
    expect(readUpstreamReply(message, questionFor("example.org"))).toBeUndefined();
  });
}

test("any bytes from an upstream are taken or not", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ maxLength: 100 }), (message, asked) => {
      readUpstreamReply(message, asked);
    }),
  );
});

test("an upstream's answer is passed on under the asker's id and in its writing", () => {
  const message = questionFor("eXample.org", { id: 99 });
  const answer = answerTo(withId(questionFor("example.org"), 5));
  const relayed = relayedReply(answer, query(message), 512);
  expect(summary(relayed)).toMatchObject({ id: 99, answers: ["203.0.113.7"], truncated: false });
  expect(relayed.subarray(12, 25)).toEqual(message.subarray(12, 25));
});

test("an upstream's answer that is too long for the asker is cut", () => {
  const asked = query(questionFor("example.org"));
  const long = Uint8Array.of(...answerTo(questionFor("example.org")), ...new Uint8Array(600));
  expect(summary(relayedReply(long, asked, 512))).toMatchObject({ truncated: true, answers: [], length: 29 });
});
