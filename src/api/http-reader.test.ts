import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import { HttpReader } from "./http-reader.ts";

function queue(text: string, size: number): ChunkQueue {
  const chunks = new ChunkQueue({ pause: () => undefined, resume: () => undefined });
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  chunks.end();
  return chunks;
}

async function read(text: string, size: number, method = "GET"): Promise<[number, string, string]> {
  const reader = new HttpReader(queue(text, size));
  const head = await reader.head();
  const body = Buffer.concat(await Array.fromAsync(reader.body(head, method))).toString();
  const rest = Buffer.concat(await Array.fromAsync(reader.raw())).toString();
  return [head.status, body, rest];
}

const table: [string, string, [number, string, string]][] = [
  ["a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellomore", [200, "hello", "more"]],
  [
    "chunks",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x=1\r\nhello\r\n3\r\n wo\r\n0\r\nA: b\r\n\r\nnext",
    [200, "hello wo", "next"],
  ],
  ["neither, to the end", "HTTP/1.1 200 OK\r\n\r\nall of it", [200, "all of it", ""]],
  ["204", "HTTP/1.1 204 No Content\r\n\r\nrest", [204, "", "rest"]],
  [
    "100 before it",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    [200, "ok", ""],
  ],
  ["101, raw bytes after it", "HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw", [101, "raw", ""]],
  ["no reason, plain line ends", "HTTP/1.1 200\nContent-Length: 1\n\nx", [200, "x", ""]],
];

for (const [name, text, want] of table) {
  for (const size of [1, 3, 1000]) {
    test(`an answer with ${name} is read from pieces of ${size}`, async () => {
      expect(await read(text, size)).toEqual(want);
    });
  }
}

test("HEAD has no body whatever its headers say", async () => {
  expect(await read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 9, "HEAD")).toEqual([200, "", ""]);
});

const wrong: [string, string][] = [
  ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["a header without a colon", "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"],
  ["a chunk size that is none", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
  [
    "a chunk longer than it says",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
  ],
  ["a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"],
  ["a body cut short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"],
  ["nothing at all", ""],
  ["endless headers", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}`],
  ["an endless line", `HTTP/1.1 200 ${"x".repeat(100_000)}`],
];

for (const [name, text] of wrong) {
  test(`${name} is refused`, async () => {
    expect(read(text, 1000)).rejects.toThrow(EngineError);
  });
}
