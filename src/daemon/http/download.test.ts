import { expect, test } from "bun:test";
import { errorMessage } from "#base/errors.ts";
import { openDownload } from "./download.ts";

const NO_SIGNAL = new AbortController().signal;

async function serve(answer: (request: Request) => Response): Promise<AsyncDisposable & { host: string }> {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return { host: `127.0.0.1:${server.port}`, [Symbol.asyncDispose]: async () => await server.stop(true) };
}

test("an address without a scheme is plain HTTP, and nothing of ours goes along", async () => {
  const seen: Headers[] = [];
  await using server = await serve((request) => {
    seen.push(request.headers);
    return new Response("content");
  });
  const { url, chunks } = await openDownload(`${server.host}/a.tar`, NO_SIGNAL);
  expect(url.href).toBe(`http://${server.host}/a.tar`);
  expect(Buffer.concat(await Array.fromAsync(chunks)).toString()).toBe("content");
  expect(["authorization", "cookie"].filter((name) => seen[0]?.has(name))).toEqual([]);
});

for (const [address, words] of [
  ["file:///etc/passwd", "it is no address of the web"],
  ["ftp://host/x", "it is no address of the web"],
  ["http://127.0.0.1:1/x", "Cannot download http://127.0.0.1:1/x: "],
] as const) {
  test(`a download of ${address} is refused`, async () => {
    expect(await openDownload(address, NO_SIGNAL).then(() => "", errorMessage)).toContain(words);
  });
}

test("an answer that is not the thing is an error that says so", async () => {
  await using server = await serve(() => new Response("no", { status: 404 }));
  const work = openDownload(`http://${server.host}/a`, NO_SIGNAL);
  expect(await work.then(() => "", errorMessage)).toBe(
    `Cannot download http://${server.host}/a: the answer is 404`,
  );
});
