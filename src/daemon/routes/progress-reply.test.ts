import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import type { Progress } from "#image/image.ts";
import type { Reply } from "../http/route.ts";
import { progressReply } from "./progress-reply.ts";

/** What a client that takes each write at its own pace gets. */
async function written(reply: Reply, pace: () => Promise<void> = async () => undefined): Promise<unknown[]> {
  if (reply.kind !== "stream") throw new Error("no stream");
  const chunks: string[] = [];
  await reply.write({
    async write(data) {
      chunks.push(typeof data === "string" ? data : new TextDecoder().decode(data));
      await pace();
    },
  });
  return chunks
    .flatMap((chunk) => chunk.split("\r\n").filter((line) => line !== ""))
    .map((line) => JSON.parse(line));
}

const bytes = (progress: Progress, current: number): void =>
  progress({ kind: "status", status: "Downloading", id: "a", bytes: { current, total: 100 } });

test("lines come as they were told; those of a layer have a place on the screen, the headline has none", async () => {
  const reply = await progressReply(async (progress) => {
    progress({ kind: "status", status: "Pulling from library/a", id: "1" });
    progress({ kind: "status", status: "Waiting", id: "abc" });
    progress({ kind: "stream", text: "done\n" });
  });
  expect(await written(reply)).toEqual([
    { status: "Pulling from library/a", id: "1" },
    { status: "Waiting", progressDetail: {}, id: "abc" },
    { stream: "done\n" },
  ]);
});

test("of one layer's byte counts a slow client gets the newest, and all other lines", async () => {
  const reply = await progressReply(async (progress) => {
    for (let current = 1; current <= 50; current++) bytes(progress, current);
    progress({ kind: "status", status: "Download complete", id: "a" });
    bytes(progress, 60);
  });
  expect(await written(reply)).toEqual([
    { status: "Downloading", id: "a", progressDetail: { current: 50, total: 100 } },
    { status: "Download complete", id: "a", progressDetail: {} },
    { status: "Downloading", id: "a", progressDetail: { current: 60, total: 100 } },
  ]);
});

test("a failure before the first line is thrown", async () => {
  const work = progressReply(() => Promise.reject(new EngineError("not-found", "nothing there")));
  await expect(work).rejects.toThrow("nothing there");
});

test("a failure after the first line is the last line", async () => {
  const reply = await progressReply(async (progress) => {
    progress({ kind: "stream", text: "begun\n" });
    throw new EngineError("corrupt", "went wrong", { hint: "do this" });
  });
  expect(await written(reply)).toEqual([
    { stream: "begun\n" },
    { errorDetail: { message: "went wrong\ndo this" }, error: "went wrong\ndo this" },
  ]);
});

test("work without lines is an empty answer", async () => {
  expect(await written(await progressReply(async () => undefined))).toEqual([]);
});
