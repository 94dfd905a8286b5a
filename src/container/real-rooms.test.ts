import { existsSync, readFileSync } from "node:fs";
import { expect } from "bun:test";
import { needs } from "../../test/needs.ts";
import { openRealEngine, type RealEngine } from "./_fixtures/real-rooms.ts";
import { createRequest } from "./_fixtures/requests.ts";
import type { AttachSession } from "./attaching.ts";
import { exitCodeOf } from "./state.ts";

const real = needs("root", "overlay", "crun", "conmon", "busybox", "nft");
const NEVER = new AbortController().signal;

async function runToEnd(
  { containers }: RealEngine,
  config: Readonly<Record<string, unknown>>,
  host: Readonly<Record<string, unknown>> = {},
): Promise<{ exitCode: number; output: string; id: string }> {
  const { id } = await containers.create(createRequest(config, host), NEVER);
  const over = containers.wait(id, "next-exit", NEVER);
  await containers.start(id);
  const { exitCode } = await over;
  return { exitCode, output: await logOf(containers, id), id };
}

async function logOf(containers: RealEngine["containers"], id: string): Promise<string> {
  let text = "";
  for await (const pieces of containers.logs(id, { stdout: true, stderr: true, follows: false }, NEVER)) {
    text += pieces.map(({ data }) => Buffer.from(data).toString()).join("");
  }
  return text;
}

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
    const script = "trap 'exit 143' TERM; while :; do sleep 0.05; done";
    const trap = await containers.create(createRequest({ Cmd: ["sh", "-c", `echo up; ${script}`] }), NEVER);
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

/** Exact ids, groups and capabilities by USER form, in the container and in its execs (CVE-2022-36109 and kin). */
const USERS: [user: string | undefined, host: Record<string, unknown>, id: string][] = [
  [undefined, {}, "uid=0(root) gid=0(root) groups=0(root)"],
  ["app", {}, "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"],
  ["1000", {}, "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"],
  ["app:extra", {}, "uid=1000(app) gid=2000(extra) groups=2000(extra)"],
  ["4242", {}, "uid=4242 gid=0(root) groups=0(root)"],
  ["4242:4343", { GroupAdd: ["extra"] }, "uid=4242 gid=4343 groups=2000(extra),4343"],
];
for (const [user, host, want] of USERS) {
  real(`user ${user ?? "unset"} is ${want}, and inherits no capability`, async () => {
    await using engine = await openRealEngine();
    const { containers } = engine;
    const show = "id; cat /proc/self/status";
    const first = await runToEnd(engine, { User: user, Cmd: ["sh", "-c", show] }, host);
    const { id } = await containers.create(createRequest({ User: user, Cmd: ["sleep", "60"] }, host), NEVER);
    await containers.start(id);
    const exec = await execute(containers, id, ["sh", "-c", show]);
    for (const text of [first.output, exec.output]) {
      expect(text.split("\n")[0]).toBe(want);
      expect(text).toMatch(/CapInh:\t0000000000000000/);
    }
  });
}

for (const user of ["-1", "2147483648", "4294967296", "nobody-here", "0:nogroup-here"]) {
  real(`user ${user} is refused`, async () => {
    await using engine = await openRealEngine();
    const { id } = await engine.containers.create(createRequest({ User: user, Cmd: ["true"] }), NEVER);
    expect(engine.containers.start(id)).rejects.toThrow(/unable to find|must be in range/);
    await engine.containers.start(id).catch(() => undefined);
    expect(engine.mounts()).toEqual([]);
  });
}

async function execute(
  containers: RealEngine["containers"],
  reference: string,
  command: string[],
): Promise<{ exitCode: number; output: string }> {
  const exec = containers.execs.create(reference, {
    command,
    env: [],
    user: undefined,
    workingDir: undefined,
    tty: false,
    isPrivileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: undefined,
    consoleSize: undefined,
  });
  const running = await containers.execs.start(exec.id, { detach: false });
  let output = "";
  if (running.attachment) {
    for await (const { data } of running.attachment.output) output += Buffer.from(data).toString();
    await running.attachment[Symbol.asyncDispose]();
  }
  return { exitCode: await running.exited, output };
}

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

/** CVE-2026-41579 and kin: what an image made of its own folders leads nowhere outside its root. */
const HOSTILE: [string, string, string][] = [
  ["/dev as an absolute link", "dev", "/host"],
  ["/etc as a relative link out", "etc", "../../../../../../host"],
  ["/proc as a looping link", "proc", "proc"],
  ["/sys as a link to /etc", "sys", "/etc"],
  ["a volume's folder as an absolute link", "data", "/host"],
  ["a volume's folder as a relative link out", "data", "../../../../../../../../host"],
];
for (const [name, path, target] of HOSTILE) {
  real(`an image with ${name} runs inside its root or is refused; the host is untouched`, async () => {
    await using engine = await openRealEngine();
    const { symlinkSync, rmSync, mkdirSync, readdirSync } = await import("node:fs");
    const canary = `${engine.folder}/canary`;
    mkdirSync(canary);
    const { busyboxLayer } = await import("./_fixtures/real-rooms.ts");
    await engine.addImage("hostile", (root) => {
      busyboxLayer(root);
      rmSync(`${root}/${path}`, { recursive: true, force: true });
      symlinkSync(target.replace("/host", canary), `${root}/${path}`);
    });
    const config = { Image: "hostile", Cmd: ["touch", "/data/in/file"], WorkingDir: "/sys/made" };
    const request = createRequest(config, {
      Binds: ["dc-vol:/data/in", "/data/anon"],
      Tmpfs: { "/data/tmp": "" },
    });
    const created = await engine.containers.create(request, NEVER).catch(() => undefined);
    if (created) {
      const over = engine.containers.wait(created.id, "next-exit", NEVER);
      const isUp = await engine.containers.start(created.id).then(
        () => true,
        () => false,
      );
      if (isUp) await over;
    }
    expect(readdirSync(canary)).toEqual([]);
    expect(engine.mounts()).toEqual([]);
  });
}

for (const path of ["/proc/self/fd/7", "/proc/1/fd/9/../x", "//proc//self//fd"]) {
  real(`a working directory of ${path} is refused`, async () => {
    await using engine = await openRealEngine();
    const request = createRequest({ Cmd: ["true"], WorkingDir: path });
    expect(engine.containers.create(request, NEVER)).rejects.toMatchObject({ kind: "invalid" });
    await engine.containers.create(request, NEVER).catch(() => undefined);
    expect(engine.mounts()).toEqual([]);
  });
}
