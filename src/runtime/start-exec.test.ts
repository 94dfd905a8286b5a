import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { needs } from "../../test/needs.ts";
import { processSpec } from "./spec/generate-spec.ts";
import type { SpecInput } from "./spec/spec-input.ts";
import { StartError } from "./start-error.ts";
import type { ExecOptions } from "./start-exec.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;
let container: string;

beforeAll(async () => {
  fixture = new RuntimeFixture();
  container = await fixture.create(["sleep", "600"]);
  await fixture.runtime.start(container);
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

function exec(args: readonly string[], changes: Partial<SpecInput> = {}, rest: Partial<ExecOptions> = {}) {
  const process = processSpec(fixture.input(args, changes), fixture.host, () => undefined);
  const options = { tty: changes.tty ?? false, openStdin: false, detach: false, ...rest };
  return fixture.runtime.exec(container, { execId: newId(), process, ...options });
}

async function output(...args: Parameters<typeof exec>) {
  const { attachment, exited } = await exec(...args);
  const text = { stdout: "", stderr: "" };
  for await (const { stream, data } of attachment?.output ?? []) text[stream] += Buffer.from(data).toString();
  await attachment?.[Symbol.asyncDispose]();
  return { ...text, exitCode: await exited };
}

testHere("an exec has its own output and exit code", async () => {
  expect(await output(["sh", "-c", "echo out; echo err >&2; exit 5"])).toEqual(
    expect.objectContaining({ stdout: "out\n", stderr: "err\n", exitCode: 5 }),
  );
});

testHere("an exec reads its stdin to the end", async () => {
  const { attachment, exited } = await exec(["wc", "-c"], {}, { openStdin: true });
  await attachment?.write(new Uint8Array(100_000));
  attachment?.closeStdin();
  let text = "";
  for await (const { data } of attachment?.output ?? []) text += Buffer.from(data).toString();
  expect([text, await exited]).toEqual(["100000\n", 0]);
});

testHere("an exec with a terminal can be resized", async () => {
  const execId = newId();
  const { attachment, exited } = await exec(
    ["sh", "-c", "read line; stty size"],
    { tty: true },
    { execId, openStdin: true },
  );
  fixture.runtime.resizeExec(container, execId, { rows: 11, columns: 22 });
  await attachment?.write(Buffer.from("x\n"));
  let text = "";
  for await (const { data } of attachment?.output ?? []) text += Buffer.from(data).toString();
  expect([text, await exited]).toEqual(["x\r\n11 22\r\n", 0]);
});

testHere("a detached exec has an exit code too, and leaves no files", async () => {
  const execId = newId();
  const { attachment, exited, pid } = await exec(
    ["sh", "-c", "echo lost; exit 3"],
    {},
    { execId, detach: true },
  );
  expect(attachment).toBeUndefined();
  expect(pid).toBeGreaterThan(1);
  expect(await exited).toBe(3);
  expect(existsSync(join(fixture.runtime.bundlePath(container), "exec", execId))).toBe(false);
});

testHere("an exec's end is not taken for the container's", async () => {
  await output(["sh", "-c", "exit 9"]);
  expect(existsSync(join(fixture.run, "exits", container))).toBe(false);
});

testHere("an exec killed by signal n exits with 128 + n", async () => {
  expect((await output(["sh", "-c", "kill -9 $$"])).exitCode).toBe(137);
});

const failures: [readonly string[], Partial<SpecInput>, number, string][] = [
  [["nope"], {}, 127, 'exec: "nope": executable file not found in $PATH: unknown'],
  [["/no/pe"], {}, 127, 'exec: "/no/pe": stat /no/pe: no such file or directory: unknown'],
  [["/etc/passwd"], {}, 126, 'exec: "/etc/passwd": permission denied: unknown'],
  [
    ["true"],
    { cwd: "/nowhere" },
    127,
    'chdir to cwd ("/nowhere") set in config.json failed: no such file or directory',
  ],
];

for (const tty of [false, true]) {
  for (const [args, changes, exitCode, text] of failures) {
    const where = `${args.join(" ")} in ${changes.cwd ?? "/"}${tty ? " with a terminal" : ""}`;
    testHere(`an exec of ${where} fails with ${exitCode} and Docker's text`, async () => {
      const error = await exec(args, { ...changes, tty }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(StartError);
      if (!(error instanceof StartError)) return;
      expect(error.message).toStartWith(
        "OCI runtime exec failed: exec failed: unable to start container process: ",
      );
      expect(error.message).toContain(text);
      expect(Number(error.exitCode)).toBe(exitCode);
    });
  }
}

testHere("twenty execs at once keep their outputs apart", async () => {
  const outputs = await Promise.all(
    Array.from({ length: 20 }, (_, index) => output(["echo", String(index)])),
  );
  expect(outputs.map(({ stdout }) => Number(stdout))).toEqual(
    Array.from({ length: 20 }, (_, index) => index),
  );
});
