import { afterAll, beforeAll, expect } from "bun:test";
import { createHash } from "node:crypto";
import { needs } from "../../test/needs.ts";
import type { Attachment } from "./attachment.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

async function textOf(attachment: Attachment): Promise<string> {
  let text = "";
  for await (const { data } of attachment.output) text += Buffer.from(data).toString();
  return text;
}

testHere("several attachments all get all output", async () => {
  const id = await fixture.create(["sh", "-c", "echo a; echo b >&2; echo c"]);
  await using first = await fixture.runtime.attach(id);
  await using second = await fixture.runtime.attach(id);
  await using third = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  const texts = await Promise.all([first, second, third].map(textOf));
  expect(texts.map((text) => text.split("\n").toSorted().join(""))).toEqual(["abc", "abc", "abc"]);
});

testHere("the first bytes are not lost in 30 starts", async () => {
  for (let round = 0; round < 30; round++) {
    expect((await fixture.output(["echo", String(round)])).stdout).toBe(`${round}\n`);
  }
});

testHere("output larger than every buffer arrives whole, read slowly", async () => {
  const id = await fixture.create(["seq", "1", "200000"]);
  await using attachment = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  const hash = createHash("sha256");
  let packets = 0;
  for await (const { data } of attachment.output) {
    hash.update(data);
    if (packets++ % 50 === 0) await Bun.sleep(1);
  }
  const expected = Array.from({ length: 200_000 }, (_, index) => `${index + 1}\n`).join("");
  expect(hash.digest("hex")).toBe(createHash("sha256").update(expected).digest("hex"));
});

testHere("stdin reaches the process whole and ends it when closed", async () => {
  const id = await fixture.create(["sh", "-c", "wc -c; echo end"], { stdin: "once" });
  await using attachment = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  await attachment.write(new Uint8Array(1_000_003).fill(120));
  attachment.closeStdin();
  expect(await textOf(attachment)).toBe("1000003\nend\n");
});

testHere("stdin written before the start is not lost", async () => {
  const id = await fixture.create(["cat"], { stdin: "once" });
  await using attachment = await fixture.runtime.attach(id);
  await attachment.write(Buffer.from("early\n"));
  attachment.closeStdin();
  await fixture.runtime.start(id);
  expect(await textOf(attachment)).toBe("early\n");
});

testHere("an onlooker's going does not end the process's stdin, the writer's does", async () => {
  const id = await fixture.create(["cat"], { stdin: "once" });
  const onlooker = await fixture.runtime.attach(id, { stdin: false });
  const writer = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  await writer.write(Buffer.from("one\n"));
  await onlooker.output[Symbol.asyncIterator]().next();
  await onlooker[Symbol.asyncDispose]();
  await writer.write(Buffer.from("two\n"));
  const output = writer.output[Symbol.asyncIterator]();
  let text = "";
  while (text !== "one\ntwo\n") {
    const { value } = await output.next();
    text += Buffer.from(value.data).toString();
  }
  await writer[Symbol.asyncDispose]();
  expect((await fixture.runtime.exited(id)).exitCode).toBe(0);
});

testHere("stdin that is not once outlives its writers", async () => {
  const id = await fixture.create(["cat"], { stdin: "open" });
  await fixture.runtime.start(id);
  for (const word of ["first\n", "second\n"]) {
    await using attachment = await fixture.runtime.attach(id);
    await attachment.write(Buffer.from(word));
    const { value } = await attachment.output[Symbol.asyncIterator]().next();
    expect(Buffer.from(value.data).toString()).toBe(word);
  }
  await fixture.runtime.kill(id, 9);
});

testHere("a terminal has the size that was set, and echoes", async () => {
  const id = await fixture.create(["sh", "-c", "read line; stty size"], { tty: true, stdin: "open" });
  await using attachment = await fixture.runtime.attach(id);
  fixture.runtime.resize(id, { rows: 33, columns: 77 });
  await fixture.runtime.start(id);
  await attachment.write(Buffer.from("go\n"));
  expect(await textOf(attachment)).toBe("go\r\n33 77\r\n");
});

testHere("attaching to a finished container is a conflict, resizing it nothing", async () => {
  const id = await fixture.create(["true"]);
  await fixture.runtime.start(id);
  await fixture.runtime.exited(id);
  await expect(fixture.runtime.attach(id)).rejects.toThrow("the process has ended");
  fixture.runtime.resize(id, { rows: 1, columns: 1 });
});

testHere("an attachment that nobody reads makes the process wait, and detaching lets it go on", async () => {
  const id = await fixture.create([
    "sh",
    "-c",
    "yes | head -c 5000000; echo done > /tmp/flood-done; sleep 60",
  ]);
  const stuck = await fixture.runtime.attach(id);
  await fixture.runtime.start(id);
  await using reader = await fixture.runtime.attach(id);
  await stuck[Symbol.asyncDispose]();
  let bytes = 0;
  for await (const { data } of reader.output) {
    bytes += data.length;
    if (bytes > 1_000_000) break;
  }
  expect(bytes).toBeGreaterThan(1_000_000);
  await fixture.runtime.kill(id, 9);
});
