import { existsSync, readFileSync } from "node:fs";
import { expect } from "bun:test";
import { needs } from "../../test/needs.ts";
import { openRealEngine } from "./_fixtures/real-rooms.ts";
import { execute, logOf, runToEnd } from "./_fixtures/run-containers.ts";
import { createRequest } from "./_fixtures/requests.ts";
import type { AttachSession } from "./attaching.ts";
import { exitCodeOf } from "./state.ts";

const real = needs("root", "overlay", "crun", "conmon", "busybox", "nft");
const NEVER = new AbortController().signal;

real(
  "a container runs, its output is in its log when wait returns, and nothing of the run stays",
  async () => {
    await using engine = await openRealEngine();
    const { exitCode, output, id } = await runToEnd(engine, { Cmd: ["sh", "-c", "echo hello; exit 3"] });
    expect({ exitCode, output }).toEqual({ exitCode: 3, output: "hello\n" });
    await engine.containers.remove(id, { force: false, removesVolumes: true });
    expect(engine.mounts()).toEqual([]);
    expect(engine.events.map(({ action }) => action)).toEqual(["create", "start", "die", "destroy"]);
  },
);

const ENDS: [string, Record<string, unknown>, number][] = [
  ["true", { Cmd: ["true"] }, 0],
  ["false", { Cmd: ["false"] }, 1],
];
for (const [name, config, want] of ENDS) {
  real(`exit code of ${name} is ${want}`, async () => {
    await using engine = await openRealEngine();
    expect((await runToEnd(engine, config)).exitCode).toBe(want);
  });
}

const FAILED_STARTS: [string, string[], number, RegExp][] = [
  ["a program that is not there", ["nope"], 127, /executable file not found in \$PATH/],
  ["a path that is not there", ["/no/such"], 127, /no such file or directory/],
  ["a file that may not be run", ["/bin/noexec"], 126, /permission denied/],
  ["a folder", ["/etc"], 126, /permission denied/],
];
for (const [name, command, code, text] of FAILED_STARTS) {
  real(`starting ${name} fails with ${code}, and nothing of the run stays`, async () => {
    await using engine = await openRealEngine();
    const { containers } = engine;
    const { id } = await containers.create(createRequest({ Cmd: command }), NEVER);
    expect(containers.start(id)).rejects.toMatchObject({
      kind: "invalid",
      message: expect.stringMatching(text),
    });
    await containers.start(id).catch(() => undefined);
    const { state } = containers.inspect(id);
    expect(state).toMatchObject({ status: "created", failure: { exitCode: code } });
    expect(exitCodeOf(state)).toBe(code);
    expect(engine.mounts()).toEqual([]);
  });
}

const SIGNALS: [string, number][] = [
  ["SIGKILL", 137],
  ["TERM", 143],
];
for (const [signal, want] of SIGNALS) {
  real(`a process that ${signal} ends has exit code ${want}`, async () => {
    await using engine = await openRealEngine();
    const { containers } = engine;
    const script = "trap 'exit 143' TERM; echo up; while :; do sleep 0.05; done";
    const trap = await containers.create(createRequest({ Cmd: ["sh", "-c", script] }), NEVER);
    const over = containers.wait(trap.id, "next-exit", NEVER);
    await containers.start(trap.id);
    for await (const _ of containers.logs(trap.id, { stdout: true, stderr: false, follows: true }, NEVER))
      break;
    await containers.kill(trap.id, signal);
    expect(await over).toEqual({ exitCode: want });
  });
}

interface Client {
  readonly output: string[];
  readonly done: Promise<void>;
  send(text: string): void;
  halfClose(): void;
}

function connect(session: AttachSession): Client {
  const output: string[] = [];
  const queue: Uint8Array[] = [];
  let isClosed = false;
  let wake = (): void => undefined;
  async function* input(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = queue.shift();
      if (chunk) yield chunk;
      else if (isClosed) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  const done = session.run({
    input: input(),
    write: async ({ stream, data }) => {
      output.push(`${stream}:${Buffer.from(data).toString()}`);
    },
  });
  return {
    output,
    done,
    send(text) {
      queue.push(Buffer.from(text));
      wake();
    },
    halfClose() {
      isClosed = true;
      wake();
    },
  };
}

const STREAMS = { stdin: true, stdout: true, stderr: true, detachKeys: undefined };

real("clients that attached before the start each get every byte, and what they send arrives", async () => {
  await using engine = await openRealEngine();
  const { containers } = engine;
  const config = { Cmd: ["sh", "-c", "echo first; cat; echo last >&2"], OpenStdin: true, StdinOnce: true };
  const { id } = await containers.create(createRequest(config), NEVER);
  const clients = [1, 2].map(() => connect(containers.attach(id, STREAMS, NEVER)));
  const over = containers.wait(id, "next-exit", NEVER);
  await containers.start(id);
  clients[0]?.send("from the client\n");
  clients[0]?.halfClose();
  await over;
  await Promise.all(clients.map(({ done }) => done));
  for (const { output } of clients) {
    expect(output.filter((line) => line.startsWith("stdout")).join("")).toContain("first\n");
    expect(output.join("")).toContain("from the client\n");
    expect(output.join("")).toContain("stderr:last\n");
  }
});

real("the detach keys end the session and leave the process running", async () => {
  await using engine = await openRealEngine();
  const { containers, events } = engine;
  const config = { Cmd: ["cat"], OpenStdin: true, Tty: true };
  const { id } = await containers.create(createRequest(config), NEVER);
  const client = connect(containers.attach(id, { ...STREAMS, detachKeys: Uint8Array.of(16, 17) }, NEVER));
  await containers.start(id);
  client.send("\x10\x11");
  await client.done;
  expect(containers.inspect(id).state.status).toBe("running");
  expect(events.map(({ action }) => action)).toContain("detach");
});

real("stop sends the stop signal, and kills what ignores it", async () => {
  await using engine = await openRealEngine();
  const { containers, events } = engine;
  const stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"];
  const { id } = await containers.create(createRequest({ Cmd: stubborn }), NEVER);
  await containers.start(id);
  expect(await containers.stop(id, { timeoutSeconds: 0 })).toBe("stopped");
  expect(await containers.stop(id, {})).toBe("already-stopped");
  expect(exitCodeOf(containers.inspect(id).state)).toBe(137);
  expect(events.map(({ action }) => action)).toEqual(["create", "start", "kill", "kill", "die", "stop"]);
  expect(containers.kill(id, "TERM")).rejects.toMatchObject({ kind: "conflict" });
});

real("pause freezes, unpause goes on, and a paused container can be removed by force", async () => {
  await using engine = await openRealEngine();
  const { containers } = engine;
  const { id } = await containers.create(createRequest({ Cmd: ["sleep", "60"] }), NEVER);
  await containers.start(id);
  await containers.pause(id);
  expect(containers.inspect(id).state.status).toBe("paused");
  expect(containers.pause(id)).rejects.toMatchObject({ kind: "conflict" });
  await containers.unpause(id);
  expect(containers.inspect(id).state.status).toBe("running");
  await containers.pause(id);
  expect(containers.remove(id, { force: false, removesVolumes: false })).rejects.toThrow(
    "must be unpaused first",
  );
  await containers.remove(id, { force: true, removesVolumes: false });
  expect(containers.list({ all: true, filters: new Map() })).toEqual([]);
});

real("with AutoRemove the container goes after its exit, its anonymous volume with it", async () => {
  await using engine = await openRealEngine();
  const { containers, events } = engine;
  const config = { Cmd: ["sh", "-c", "cat /data/seed; exit 4"], Volumes: { "/data": {} } };
  const { id } = await containers.create(createRequest(config, { AutoRemove: true }), NEVER);
  const [mount] = containers.inspect(id).mounts;
  expect(readFileSync(`${mount?.source}/seed`, "utf8")).toBe("seed\n");
  const removed = containers.wait(id, "removed", NEVER);
  await containers.start(id);
  expect(await removed).toEqual({ exitCode: 4 });
  expect(() => containers.inspect(id)).toThrow("No such container");
  await containers.close();
  expect(existsSync(mount?.source ?? "")).toBe(false);
  expect(engine.mounts()).toEqual([]);
  expect(events.map(({ type, action }) => `${type} ${action}`)).toEqual([
    "volume create",
    "container create",
    "container start",
    "container die",
    "container destroy",
    "volume destroy",
  ]);
});

real("kill -9 of the engine loses no exit code and no log line", async () => {
  await using engine = await openRealEngine();
  const script = "echo early; sleep 0.3; echo late; exit 5";
  const { id } = await engine.containers.create(createRequest({ Cmd: ["sh", "-c", script] }), NEVER);
  const { id: steady } = await engine.containers.create(createRequest({ Cmd: ["sleep", "60"] }), NEVER);
  await engine.containers.start(id);
  await engine.containers.start(steady);
  await using next = await engine.reopen();
  const { containers } = next;
  expect(containers.inspect(steady).state.status).toBe("running");
  const { exitCode } = await containers.wait(id, "not-running", NEVER);
  expect({ exitCode, output: await logOf(containers, id) }).toEqual({ exitCode: 5, output: "early\nlate\n" });
  expect(await containers.stop(steady, { timeoutSeconds: 0 })).toBe("stopped");
  await containers.remove(steady, { force: false, removesVolumes: false });
  await containers.remove(id, { force: false, removesVolumes: false });
});

real("an exec has its own exit code, runs once, and 127 for a program that is not there", async () => {
  await using engine = await openRealEngine();
  const { containers, events } = engine;
  const { id } = await containers.create(createRequest({ Cmd: ["sleep", "60"], Env: ["A=1"] }), NEVER);
  await containers.start(id);
  expect(await execute(containers, id, ["sh", "-c", "echo $A; exit 6"])).toEqual({
    exitCode: 6,
    output: "1\n",
  });
  expect(execute(containers, id, ["nope"])).rejects.toThrow("executable file not found");
  await execute(containers, id, ["nope"]).catch(() => undefined);
  const dies = events
    .filter(({ action }) => action === "exec_die")
    .map(({ attributes }) => attributes["exitCode"]);
  expect(dies).toEqual(["6", "127", "127"]);
  await containers.pause(id);
  expect(() => containers.execs.create(id, { ...EXEC, command: ["true"] })).toThrow("is paused");
});

const EXEC = {
  command: [],
  env: [],
  user: undefined,
  workingDir: undefined,
  tty: false,
  isPrivileged: false,
  attachStdin: false,
  attachStdout: false,
  attachStderr: false,
  detachKeys: undefined,
  consoleSize: undefined,
};

real("on the bridge a container has an address, its name in /etc/hosts and a resolver", async () => {
  await using engine = await openRealEngine();
  const show = "hostname; cat /etc/hosts; cat /etc/resolv.conf; cat /etc/hostname";
  const { output, id } = await runToEnd(
    engine,
    { Cmd: ["sh", "-c", show], Hostname: "web" },
    { NetworkMode: "bridge" },
  );
  const lines = output.split("\n");
  expect(lines[0]).toBe("web");
  expect(output).toMatch(/\n\d+\.\d+\.\d+\.\d+\tweb\n/);
  expect(output).toContain("nameserver ");
  expect(engine.containers.inspect(id).network.endpoints).toEqual([]);
});

real("restart policy on-failure restarts so many times, then gives up", async () => {
  await using engine = await openRealEngine();
  const { containers, events } = engine;
  const policy = { RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } };
  const { id } = await containers.create(
    createRequest({ Cmd: ["sh", "-c", "echo run; exit 1"] }, policy),
    NEVER,
  );
  const over = containers.wait(id, "next-exit", NEVER);
  await containers.start(id);
  await over;
  expect(await logOf(containers, id)).toBe("run\nrun\nrun\n");
  expect(containers.inspect(id).restartCount).toBe(2);
  expect(events.filter(({ action }) => action === "start")).toHaveLength(3);
});
