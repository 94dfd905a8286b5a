import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "#base/errors.ts";
import { encodeFrame, FrameDecoder, type StreamName } from "./stdcopy.ts";

test("a frame has the stream, three zeros, the length big-endian and the payload", () => {
  const frame = encodeFrame("stderr", new Uint8Array([65, 66]));
  expect([...frame]).toEqual([2, 0, 0, 0, 0, 0, 0, 2, 65, 66]);
});

test("frames come out as they went in, however the bytes are cut", () => {
  const stream = fc.constantFrom<StreamName>("stdin", "stdout", "stderr", "system");
  const frame = fc.tuple(stream, fc.uint8Array({ minLength: 1, maxLength: 40 }));
  fc.assert(
    fc.property(fc.array(frame), fc.integer({ min: 1, max: 20 }), (frames, size) => {
      const bytes = Buffer.concat(frames.map(([name, data]) => encodeFrame(name, data)));
      const decoder = new FrameDecoder();
      const found = new Map<number, [StreamName, number[]]>();
      let previous = 0;
      let index = -1;
      let expected = 0;
      for (let at = 0; at < bytes.length; at += size) {
        for (const { stream: name, data } of decoder.push(bytes.subarray(at, at + size))) {
          if (previous === expected) {
            index++;
            previous = 0;
            expected = frames[index]?.[1].length ?? 0;
            found.set(index, [name, []]);
          }
          found.get(index)?.[1].push(...data);
          previous += data.length;
        }
      }
      decoder.end();
      expect([...found.values()]).toEqual(frames.map(([name, data]) => [name, [...data]]));
    }),
  );
});

test("an empty frame is passed over", () => {
  const decoder = new FrameDecoder();
  expect([...decoder.push(encodeFrame("stdout", new Uint8Array(0)))]).toEqual([]);
  decoder.end();
});

test("bytes that are not framed are refused", () => {
  expect(() => [...new FrameDecoder().push(new TextEncoder().encode("total 12\n"))]).toThrow(EngineError);
  expect(() => [...new FrameDecoder().push(new Uint8Array([1, 1, 0, 0, 0, 0, 0, 1]))]).toThrow(EngineError);
});

test("a stream that ends inside a frame is corrupt", () => {
  const decoder = new FrameDecoder();
  expect([...decoder.push(encodeFrame("stdout", new Uint8Array(10)).subarray(0, 12))]).toHaveLength(1);
  expect(() => decoder.end()).toThrow("the stream ended inside a frame");
});

test("a frame that claims gigabytes costs no memory", () => {
  const decoder = new FrameDecoder();
  const header = new Uint8Array([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
  expect([...decoder.push(header)]).toEqual([]);
  expect([...decoder.push(new Uint8Array([7]))]).toEqual([{ stream: "stdout", data: new Uint8Array([7]) }]);
});
