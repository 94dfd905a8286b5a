import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { newId } from "#base/ids.ts";
import { processSpec } from "./spec/generate-spec.ts";
import { needs } from "../../test/needs.ts";
import type { RunningExec } from "./start-exec.ts";
import { RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

async function exec(
  id: string,
  script: string,
  endsWithEngine: boolean,
): Promise<RunningExec & { kill(): void }> {
  const process = processSpec(fixture.input(["sh", "-c", script]), fixture.host, () => undefined);
  const options = { execId: newId(), process, tty: false, openStdin: false, detach: false, endsWithEngine };
  return await fixture.runtime.exec(id, options);
}

/** Command lines of what runs in the container. */
function commands(id: string): string[] {
  return fixture.runtime.processes(id).map((pid) => fixture.commandLine(pid));
}

async function until(fact: () => boolean): Promise<void> {
  for (let left = 500; left > 0; left--) {
    if (fact()) return;
    await Bun.sleep(10);
  }
  throw new Error("it did not come to hold");
}

async function running(): Promise<string> {
  const id = await fixture.create(["sleep", "100"], { cgroupPath: `/darse-test/${newId()}` });
  await fixture.runtime.start(id);
  return id;
}

testHere(
  "kill ends an exec and what it has started, also what its parent has left, and nothing else",
  async () => {
    const id = await running();
    await using other = (await exec(id, "sleep 41; true", false)).attachment;
    const killed = await exec(id, "(sleep 42 & sleep 43 &); sleep 44 & wait", true);
    await using attachment = killed.attachment;
    await until(() =>
      ["sleep 41", "sleep 42", "sleep 43", "sleep 44"].every((one) => commands(id).includes(one)),
    );
    killed.kill();
    expect(await killed.exited).toBe(137);
    await until(() => commands(id).length === 3);
    expect(commands(id).toSorted()).toEqual(["sh -c sleep 41; true", "sleep 100", "sleep 41"]);
    expect([other, attachment]).not.toContain(undefined);
  },
);

testHere("kill of an exec that has ended does nothing", async () => {
  const id = await running();
  const ended = await exec(id, "true", true);
  await using attachment = ended.attachment;
  expect(await ended.exited).toBe(0);
  ended.kill();
  expect(attachment).toBeDefined();
  expect(commands(id)).toEqual(["sleep 100"]);
});

testHere(
  "the engine after this one kills the execs that were its own, and leaves those of people",
  async () => {
    const id = await running();
    await using person = (await exec(id, "sleep 51; true", false)).attachment;
    await using own = (await exec(id, "sleep 52; true", true)).attachment;
    await until(() => commands(id).includes("sleep 51") && commands(id).includes("sleep 52"));
    const before = fixture.runtime;
    const next = fixture.openRuntime();
    await next.recover();
    await until(() => commands(id).length === 3);
    expect(commands(id).toSorted()).toEqual(["sh -c sleep 51; true", "sleep 100", "sleep 51"]);
    const execs = join(next.bundlePath(id), "exec");
    await until(() => existsSync(execs) && readdirSync(execs).length === 1);
    expect([person, own, before]).not.toContain(undefined);
  },
);
