import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { bodyChunks, readBounded } from "./bounded-body.ts";

/** A body that sends so many chunks and then nothing more. */
function silentAfter(chunks: number): { readonly response: Response; readonly isClosed: () => boolean } {
  let left = chunks;
  let isClosed = false;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(Buffer.from("chunk"));
    },
    cancel() {
      isClosed = true;
    },
  });
  return { response: new Response(body), isClosed: () => isClosed };
}

test("a body that falls silent is unavailable, and let go (case 28)", async () => {
  const { response, isClosed } = silentAfter(2);
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of bodyChunks(response, 5)) seen.push(Buffer.from(chunk).toString());
  })();
  const error: unknown = await reading.catch((reason: unknown) => reason);
  expect(EngineError.is(error, "unavailable")).toBe(true);
  expect(seen).toEqual(["chunk", "chunk"]);
  expect(isClosed()).toBe(true);
});

test("a document is read up to its limit and no further", async () => {
  const whole = (): Response => new Response("0123456789");
  expect(Buffer.from(await readBounded(whole(), 10, "it")).toString()).toBe("0123456789");
  await expect(readBounded(whole(), 9, "it")).rejects.toThrow("Cannot read it: more than 9 bytes were sent");
});
