import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { needs } from "../../test/needs.ts";
import type { SpecInput } from "./spec/spec-input.ts";
import { StartError } from "./start-error.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

async function run(
  args: readonly string[],
  {
    signal = AbortSignal.timeout(20_000),
    stdin,
    ...changes
  }: Partial<SpecInput> & { signal?: AbortSignal; stdin?: Uint8Array } = {},
) {
  const text = { stdout: "", stderr: "" };
  const { exitCode } = await fixture.runtime.runToEnd(
    {
      id: newId(),
      spec: fixture.spec(args, changes),
      onOutput: (stream, data) => void (text[stream] += Buffer.from(data).toString()),
      ...(stdin && { stdin }),
    },
    signal,
  );
  return { ...text, exitCode };
}

function nothingLeft(): void {
  expect(readdirSync(join(fixture.run, "steps"))).toEqual([]);
  const state = join(fixture.run, "crun");
  expect(existsSync(state) ? readdirSync(state).filter((name) => !name.startsWith(".")) : []).toEqual([]);
}

testHere("a step's streams and exit code arrive", async () => {
  expect(await run(["sh", "-c", "echo out; echo err >&2; exit 3"])).toEqual({
    stdout: "out\n",
    stderr: "err\n",
    exitCode: 3,
  });
  nothingLeft();
});

testHere("a step reads its stdin", async () => {
  expect((await run(["wc", "-c"], { stdin: new Uint8Array(200_000) })).stdout).toBe("200000\n");
});

testHere("a step without stdin reads the end at once", async () => {
  expect((await run(["cat"])).exitCode).toBe(0);
});

testHere("a large output arrives whole", async () => {
  const { stdout } = await run(["seq", "1", "100000"]);
  expect(stdout.length).toBe(588_895);
});

testHere("a cancelled step is dead and leaves nothing", async () => {
  const controller = new AbortController();
  const cgroupPath = "/darse-test/cancelled-step";
  const step = run(["sh", "-c", "sleep 600 & sleep 600"], { signal: controller.signal, cgroupPath });
  while (!existsSync(`/sys/fs/cgroup/pids${cgroupPath}`) && !existsSync(`/sys/fs/cgroup${cgroupPath}`))
    await Bun.sleep(2);
  await Bun.sleep(30);
  controller.abort();
  await expect(step).rejects.toThrow("cancelled");
  nothingLeft();
  expect(existsSync(`/sys/fs/cgroup/pids${cgroupPath}`)).toBe(false);
});

for (const [program, exitCode, text] of [
  ["nope", 127, 'exec: "nope": executable file not found in $PATH: unknown'],
  ["/etc/passwd", 126, 'exec: "/etc/passwd": permission denied: unknown'],
] as const) {
  testHere(`a step of ${program} cannot be started: ${exitCode}`, async () => {
    const error = await run([program]).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    if (!(error instanceof StartError)) return;
    expect([error.exitCode, error.message.includes(text)]).toEqual([exitCode, true]);
    nothingLeft();
  });
}

testHere("a step that fails by itself is a result, whatever it writes", async () => {
  expect((await run(["sh", "-c", "echo executable file not found >&2; exit 127"])).exitCode).toBe(127);
});
