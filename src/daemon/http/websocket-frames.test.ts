import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ClientFrame, encodeServerFrame, ProtocolError, readClientFrames } from "./websocket-frames.ts";

const MASK = [0x37, 0xfa, 0x21, 0x3d];

/** A client's frame: masked, unless a test says otherwise. */
function frame(first: number, payload: Uint8Array | string, { isMasked = true } = {}): Buffer {
  const data = Buffer.from(payload);
  const size = data.byteLength;
  const length =
    size < 126 ? [size] : size < 65_536 ? [126, size >> 8, size & 255] : [127, 0, 0, 0, 0, ...bytesOf(size)];
  length[0] = (length[0] ?? 0) | (isMasked ? 0x80 : 0);
  const body = isMasked ? data.map((byte, index) => byte ^ (MASK[index & 3] ?? 0)) : data;
  return Buffer.concat([Buffer.from([first, ...length, ...(isMasked ? MASK : [])]), body]);
}

function bytesOf(size: number): number[] {
  return [size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255];
}

async function framesOf(...chunks: Uint8Array[]): Promise<ClientFrame[]> {
  const found: ClientFrame[] = [];
  for await (const one of readClientFrames(
    (async function* () {
      yield* chunks;
    })(),
  )) {
    found.push(one);
  }
  return found;
}

const text = (frames: readonly ClientFrame[]): string =>
  Buffer.concat(frames.flatMap((one) => (one.kind === "data" ? [one.data] : []))).toString();

test("the example of RFC 6455, 5.7 is read", async () => {
  const hello = Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
  expect(text(await framesOf(hello))).toBe("Hello");
});

test("a message in parts, with a ping between them, is read through", async () => {
  const frames = await framesOf(frame(0x01, "Hel"), frame(0x89, "beat"), frame(0x80, "lo"));
  expect(text(frames)).toBe("Hello");
  expect(frames[1]).toEqual({ kind: "ping", data: new Uint8Array(Buffer.from("beat")) });
});

for (const size of [0, 1, 125, 126, 65_535, 65_536, 200_000]) {
  test(`${size} bytes are read, and written for a server`, async () => {
    const payload = Buffer.alloc(size, "x");
    expect(text(await framesOf(frame(0x82, payload)))).toBe(payload.toString());
    const sent = encodeServerFrame("binary", payload);
    expect(sent[0]).toBe(0x82);
    expect((sent[1] ?? 0) & 0x80).toBe(0);
    expect(Buffer.from(sent.subarray(sent.byteLength - size)).equals(payload)).toBe(true);
  });
}

test("frames are read however they are cut up", async () => {
  const whole = Buffer.concat([
    frame(0x02, Buffer.alloc(300, "a")),
    frame(0x8a, ""),
    frame(0x80, "b"),
    frame(0x88, Buffer.from([0x03, 0xe8])),
  ]);
  const cuts = fc.array(fc.integer({ min: 0, max: whole.byteLength }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(cuts, async (unsorted) => {
      const points = [0, ...unsorted.toSorted((one, other) => one - other), whole.byteLength];
      const chunks = points.slice(1).map((end, index) => whole.subarray(points[index] ?? 0, end));
      const frames = await framesOf(...chunks);
      expect(text(frames)).toBe(`${"a".repeat(300)}b`);
      expect(frames.at(-1)).toEqual({ kind: "close", code: 1000 });
    }),
  );
});

test("what follows a close frame is not looked at", async () => {
  expect(await framesOf(frame(0x88, ""), frame(0x81, "more"))).toEqual([{ kind: "close", code: undefined }]);
});

test("a client that goes in the middle of a frame ends the stream", async () => {
  for (let size = 0; size < 12; size++) {
    const cut = frame(0x81, "Hello!").subarray(0, size);
    expect("Hello!".startsWith(text(await framesOf(cut)))).toBe(true);
  }
});

const refused: [name: string, bytes: Uint8Array][] = [
  ["a frame that is not masked", frame(0x81, "x", { isMasked: false })],
  ["a reserved bit", frame(0xc1, "x")],
  ["an unknown opcode", frame(0x83, "x")],
  ["an unknown control opcode", frame(0x8b, "x")],
  ["a continuation of nothing", frame(0x80, "x")],
  ["a message within a message", Buffer.concat([frame(0x01, "x"), frame(0x81, "y")])],
  ["a ping in parts", frame(0x09, "x")],
  ["a ping that is too long", frame(0x89, Buffer.alloc(126))],
  ["a close code of one byte", frame(0x88, "x")],
  ["a close code that no client may send", frame(0x88, Buffer.from([0x03, 0xed]))],
  ["a frame of 2^63 bytes", Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, ...MASK])],
];

for (const [name, bytes] of refused) {
  test(`${name} is refused`, async () => {
    expect(framesOf(bytes)).rejects.toThrow(ProtocolError);
  });
}
