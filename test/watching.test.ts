import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { responseFaults } from "./api-schema.ts";
import { TestEngine } from "./engine.ts";

// Looking at running containers, and adjusting them: stats, top, update, restart policies.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.darse(["run", "-d", "--name", "lives", "busybox", "sh", "-c", "sleep 1d & exec sleep 2d"]);
  await engine.darse(["create", "--name", "waits", "busybox", "true"]);
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const inspect = async (name: string, format: string): Promise<string> =>
  (await engine.darse(["inspect", "-f", format, name])).stdout.trim();

async function eventually(check: () => Promise<boolean>): Promise<void> {
  for (let left = 400; left > 0; left--) {
    if (await check()) return;
    await Bun.sleep(25);
  }
  throw new Error("it did not come to hold");
}

/** The last cells of a table, in order. */
function commands(lines: readonly string[]): string[] {
  return lines.map((line) => line.split(/ {2,}/).at(-1) ?? "").toSorted();
}

for (const client of ["docker", "darse"] as const) {
  test(`${client} stats --no-stream shows one line a container`, async () => {
    const { code, stdout } = await engine[client](["stats", "--no-stream"]);
    expect(code).toBe(0);
    const [head = "", line = "", ...rest] = stdout.split("\n");
    expect(head.trim().split(/ {2,}/)).toEqual([
      "CONTAINER ID",
      "NAME",
      "CPU %",
      "MEM USAGE / LIMIT",
      "MEM %",
      "NET I/O",
      "BLOCK I/O",
      "PIDS",
    ]);
    expect(line).toMatch(
      /^[0-9a-f]{12} +lives +\d+\.\d\d% +\S+B \/ \S+B +\d+\.\d\d% +\S+B \/ \S+B +\S+B \/ \S+B +2$/,
    );
    expect(rest).toEqual([""]);
  });

  test(`${client} stats --all shows those that do not run too, with zeros`, async () => {
    const format = "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}";
    const { stdout } = await engine[client](["stats", "--no-stream", "--all", "--format", format]);
    expect(stdout.split("\n")).toContain("waits 0.00% 0B / 0B 0");
  });

  test(`${client} top shows the container's processes as ps does`, async () => {
    const { stdout } = await engine[client](["top", "lives"]);
    const [head = "", ...lines] = stdout.trimEnd().split("\n");
    expect(head.split(/ +/)).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
    expect(commands(lines)).toEqual(["sleep 1d", "sleep 2d"]);
    const chosen = (await engine[client](["top", "lives", "-o", "pid,args"])).stdout.trimEnd().split("\n");
    expect(commands(chosen)).toEqual(["COMMAND", "sleep 1d", "sleep 2d"]);
  });

  test(`${client} update changes limits of a running container`, async () => {
    const name = `limits-${client}`;
    await engine.darse(["run", "-d", "--name", name, "busybox", "sleep", "1d"]);
    const given = [
      "update",
      "--memory",
      "64m",
      "--memory-swap",
      "128m",
      "--cpus",
      "0.5",
      "--pids-limit",
      "50",
      name,
    ];
    expect(await engine[client](given)).toMatchObject({ code: 0, stdout: `${name}\n` });
    expect(
      await inspect(name, "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}"),
    ).toBe(`${64 * 2 ** 20} 500000000 50`);
    expect(await limitOf(name, ["memory/{}/memory.limit_in_bytes", "{}/memory.max"])).toBe(
      String(64 * 2 ** 20),
    );
    expect(await limitOf(name, ["pids/{}/pids.max", "{}/pids.max"])).toBe("50");
    expect(await limitOf(name, ["cpu/{}/cpu.cfs_quota_us", "{}/cpu.max"])).toMatch(/^50000( 100000)?$/);
    await engine[client](["update", "--pids-limit", "-1", name]);
    expect(await limitOf(name, ["pids/{}/pids.max", "{}/pids.max"])).toBe("max");
    await engine.darse(["restart", "-t", "0", name]);
    expect(await limitOf(name, ["memory/{}/memory.limit_in_bytes", "{}/memory.max"])).toBe(
      String(64 * 2 ** 20),
    );
    await engine.darse(["rm", "-f", name]);
  }, 20_000);

  test(`${client} update that contradicts what is there is refused in Docker's words`, async () => {
    const id = await inspect("lives", "{{.Id}}");
    await engine.darse(["update", "--cpus", "1", "lives"]);
    const { code, stderr } = await engine[client](["update", "--cpu-period", "50000", "lives"]);
    expect(code).toBe(1);
    expect(stderr.trim()).toBe(
      `Error response from daemon: Cannot update container ${id}: Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set`,
    );
  });
}

/** The first of these files of the container's cgroup that this host has. */
async function limitOf(name: string, files: readonly string[]): Promise<string> {
  const id = await inspect(name, "{{.Id}}");
  const paths = files.map((file) => `/sys/fs/cgroup/${file.replace("{}", `darse/${id}`)}`);
  return readFileSync(paths.find((path) => existsSync(path)) ?? "", "utf8").trim();
}

test("darse stats goes on until it is interrupted, and follows those that start meanwhile", async () => {
  const { DARSE } = await import("./engine.ts");
  const child = Bun.spawn([DARSE, "stats", "--format", "{{.Name}} {{.PIDs}}"], {
    env: { ...process.env, DOCKER_HOST: `unix://${engine.socket}` },
    stdout: "pipe",
  });
  const seen: string[] = [];
  const reading = (async () => {
    for await (const chunk of child.stdout) seen.push(Buffer.from(chunk).toString());
  })();
  await eventually(async () => seen.join("").includes("lives 2\n"));
  await engine.darse(["run", "-d", "--name", "late", "busybox", "sleep", "1d"]);
  await eventually(async () => seen.join("").includes("late 1\n"));
  await engine.darse(["rm", "-f", "late"]);
  const before = seen.length;
  await eventually(async () => seen.slice(before + 2).some((text) => !text.includes("late")));
  child.kill("SIGINT");
  expect(await child.exited).toBe(0);
  await reading;
}, 20_000);

test("stats answer as described: running, once, and not running", async () => {
  for (const path of [
    "lives/stats?stream=0",
    "lives/stats?stream=false&one-shot=true",
    "waits/stats?stream=0",
  ]) {
    const { status, body } = await engine.api("GET", `/containers/${path}`);
    expect(status).toBe(200);
    expect(responseFaults("GET", "/containers/{id}/stats", 200, body)).toEqual([]);
  }
});

test("use of time is measured against a second before; one-shot has no before", async () => {
  await engine.darse(["run", "-d", "--name", "busy", "busybox", "sh", "-c", "while :; do :; done"]);
  const read = async (query: string): Promise<Record<string, { cpu_usage: { total_usage: number } }>> =>
    (await engine.api("GET", `/containers/busy/stats?${query}`)).body as never;
  const two = await read("stream=0");
  expect(two["precpu_stats"]?.cpu_usage.total_usage).toBeGreaterThan(0);
  expect(two["cpu_stats"]?.cpu_usage.total_usage).toBeGreaterThan(
    (two["precpu_stats"]?.cpu_usage.total_usage ?? 0) + 1e8,
  );
  const one = await read("stream=0&one-shot=1");
  expect(one["precpu_stats"]?.cpu_usage.total_usage).toBe(0);
  await engine.darse(["rm", "-f", "busy"]);
});

test("network counters are those of the container's own namespace", async () => {
  const read = async (): Promise<{ networks?: { eth0: { rx_bytes: number } } }> =>
    (await engine.api("GET", "/containers/net/stats?stream=0&one-shot=1")).body as never;
  await engine.darse(["run", "-d", "--name", "net", "-p", "127.0.0.1:18791:80", "busybox", "httpd", "-f"]);
  await eventually(
    async () => (await fetch("http://127.0.0.1:18791/x").catch(() => undefined)) !== undefined,
  );
  expect((await read()).networks?.eth0.rx_bytes).toBeGreaterThan(100);
  await engine.darse(["rm", "-f", "net"]);
  await engine.darse(["run", "-d", "--name", "net", "--network", "host", "busybox", "sleep", "1d"]);
  expect(await read()).not.toHaveProperty("networks");
  await engine.darse(["rm", "-f", "net"]);
}, 20_000);

test("top and update answer as described", async () => {
  const top = await engine.api("GET", "/containers/lives/top");
  expect(responseFaults("GET", "/containers/{id}/top", 200, top.body)).toEqual([]);
  const update = await engine.api("POST", "/containers/waits/update", { CpuShares: 100 });
  expect(update.status).toBe(200);
  expect(responseFaults("POST", "/containers/{id}/update", 200, update.body)).toEqual([]);
});

const refusals: [string, string, object | undefined, number, string][] = [
  ["GET", "/containers/nope/stats", undefined, 404, "No such container: nope"],
  ["GET", "/containers/nope/top", undefined, 404, "No such container: nope"],
  ["POST", "/containers/nope/update", {}, 404, "No such container: nope"],
  ["GET", "/containers/waits/top", undefined, 409, "is not running"],
  ["GET", "/containers/lives/top?ps_args=-o+args%3DPID,pid", undefined, 400, "is not allowed"],
  ["GET", "/containers/lives/top?ps_args=%3Bid", undefined, 400, "ps: error"],
  ["GET", "/containers/lives/top?ps_args=-o+comm", undefined, 400, "Couldn't find PID field in ps output"],
  ["GET", "/containers/lives/stats?one-shot=1", undefined, 400, "cannot have stream=true and one-shot=true"],
  ["POST", "/containers/lives/update", { Memory: 1 }, 400, "Minimum memory limit allowed is 6MB"],
  ["POST", "/containers/lives/update", { RestartPolicy: { Name: "x" } }, 400, "unknown policy 'x'"],
  ["POST", "/containers/lives/update", undefined, 400, "EOF"],
];
for (const [method, path, body, status, message] of refusals) {
  test(`${method} ${path} ${JSON.stringify(body) ?? ""} is ${status}`, async () => {
    const answer = await engine.api(method, path, body);
    expect([answer.status, answer.text]).toEqual([status, expect.stringContaining(message)]);
  });
}

test("top shows nothing of the host and runs nothing of the container", async () => {
  await engine.darse([
    "run",
    "-d",
    "--name",
    "liar",
    "busybox",
    "sh",
    "-c",
    "echo evil > /bin/ps; exec sleep 3d",
  ]);
  const { stdout } = await engine.docker(["top", "liar", "axo", "pid,args"]);
  expect(stdout.trimEnd().split("\n")).toHaveLength(2);
  expect(stdout).toContain("sleep 3d");
  await engine.darse(["rm", "-f", "liar"]);
});

test("a restart policy can be given to a container that runs", async () => {
  await engine.darse(["run", "-d", "--name", "again", "busybox", "sleep", "1d"]);
  await engine.docker(["update", "--restart", "on-failure:2", "again"]);
  const pid = await inspect("again", "{{.State.Pid}}");
  process.kill(Number(pid), "SIGKILL");
  await eventually(
    async () => (await inspect("again", "{{.RestartCount}} {{.State.Status}}")) === "1 running",
  );
  await engine.darse(["rm", "-f", "again"]);
}, 20_000);

test("between two runs a container is restarting, and docker ps says so", async () => {
  await engine.darse([
    "run",
    "-d",
    "--name",
    "loops",
    "--restart",
    "always",
    "busybox",
    "sh",
    "-c",
    "exit 4",
  ]);
  await eventually(async () =>
    /^true true 4$/.test(
      await inspect("loops", "{{.State.Restarting}} {{.State.Running}} {{.State.ExitCode}}"),
    ),
  );
  await eventually(async () =>
    (await engine.docker(["ps", "--format", "{{.Status}}", "-f", "name=loops"])).stdout.startsWith(
      "Restarting (4) ",
    ),
  );
  await engine.darse(["stop", "loops"]);
  expect(await inspect("loops", "{{.State.Status}} {{.State.ExitCode}}")).toBe("exited 4");
  const count = await inspect("loops", "{{.RestartCount}}");
  await Bun.sleep(500);
  expect(await inspect("loops", "{{.RestartCount}}")).toBe(count);
  await engine.darse(["rm", "loops"]);
}, 20_000);
