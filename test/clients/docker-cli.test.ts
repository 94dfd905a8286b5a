import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { DOCKER, type Output, run, TestEngine } from "../engine.ts";
import { guestFile } from "./guest.ts";

// The unmodified docker command line: what it shows, waits for and types, case by case.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const docker = (...args: string[]): Promise<Output> => engine.docker(args);

/** What it printed; it must have succeeded. */
async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: "" });
  return stdout;
}

const lines = (text: string): string[] => text.split("\n").filter(Boolean);

test("the containers that the cases look at are made", async () => {
  await said("tag", "busybox", "busybox:other");
  await said(
    "run",
    "-d",
    "--name",
    "up",
    "--label",
    "tier=front",
    "--label",
    "bare",
    "-p",
    "127.0.0.1:18801:80",
    "-p",
    "127.0.0.1:18802:53/udp",
    "-v",
    "cli-data:/data",
    "busybox",
    "sleep",
    "1d",
  );
  await said("run", "--name", "done", "--label", "tier=back", "--expose", "9000", "busybox", "true");
  await docker("run", "--name", "failed", "busybox", "sh", "-c", "exit 3");
  await said("create", "--name", "fresh", "--network", "none", "busybox:other", "true");
  await said("run", "-d", "--name", "still", "--network", "host", "busybox", "sleep", "1d");
  await said("pause", "still");
});

const filtered: [args: string[], names: string][] = [
  [[], "up still"],
  [["-a"], "up done failed fresh still"],
  [["-f", "name=up"], "up"],
  [["-f", "name=^/up$"], "up"],
  [["-a", "-f", "name=e"], "done failed fresh"],
  [["-a", "-f", "name=done", "-f", "name=fresh"], "done fresh"],
  [["-f", "label=tier"], "up"],
  [["-a", "-f", "label=tier"], "up done"],
  [["-a", "-f", "label=tier=back"], "done"],
  [["-a", "-f", "label=tier", "-f", "label=bare"], "up"],
  [["-f", "label=tier=none"], ""],
  [["-f", "status=running"], "up"],
  [["-f", "status=paused"], "still"],
  [["-f", "status=exited"], "done failed"],
  [["-f", "status=created"], "fresh"],
  [["-f", "status=created", "-f", "status=paused"], "fresh still"],
  [["-f", "exited=3"], "failed"],
  [["-f", "exited=0"], "done"],
  [["-a", "-f", "ancestor=busybox"], "up done failed fresh still"],
  [["-a", "-f", "ancestor=nosuchimage"], ""],
  [["-a", "-f", "before=failed"], "up done"],
  [["-a", "-f", "since=failed"], "fresh still"],
  [["-a", "-f", "volume=cli-data"], "up"],
  [["-a", "-f", "volume=/data"], "up"],
  [["-a", "-f", "network=none"], "fresh"],
  [["-a", "-f", "network=host"], "still"],
  [["-a", "-f", "network=bridge"], "up done failed"],
  [["-a", "-f", "publish=18801"], "up"],
  [["-a", "-f", "publish=53/udp"], ""],
  [["-a", "-f", "expose=9000"], "done"],
  [["-a", "-f", "expose=8999-9001/tcp"], "done"],
  [["-a", "-f", "is-task=false", "-f", "name=up"], "up"],
  [["-a", "-f", "health=none", "-f", "name=up"], "up"],
  [["-n", "2"], "fresh still"],
  [["-l"], "still"],
];

for (const [args, names] of filtered) {
  test(`docker ps ${args.join(" ")} shows ${names || "nothing"}`, async () => {
    const shown = lines(await said("ps", "--format", "{{.Names}}", ...args));
    expect(shown.toSorted()).toEqual(names.split(" ").filter(Boolean).toSorted());
  });
}

const refusedFilters: [filter: string, message: string][] = [
  ["nope=x", "invalid filter 'nope'"],
  ["status=asleep", "invalid filter 'status=asleep'"],
  ["exited=many", "invalid filter 'exited=many'"],
  ["health=fine", "invalid filter 'health=fine'"],
  ["before=nobody", "No such container: nobody"],
];

for (const [filter, message] of refusedFilters) {
  test(`docker ps -f ${filter} is refused`, async () => {
    const { code, stderr } = await docker("ps", "-a", "-f", filter);
    expect({ code, stderr: stderr.trim() }).toEqual({
      code: 1,
      stderr: `Error response from daemon: ${message}`,
    });
  });
}

const ports: [args: string[], code: number, printed: string][] = [
  [["up"], 0, "80/tcp -> 127.0.0.1:18801\n53/udp -> 127.0.0.1:18802\n"],
  [["up", "80"], 0, "127.0.0.1:18801\n"],
  [["up", "80/tcp"], 0, "127.0.0.1:18801\n"],
  [["up", "53/udp"], 0, "127.0.0.1:18802\n"],
  [["up", "53"], 1, "No public port '53' published for up"],
  [["done"], 0, ""],
  [["fresh"], 0, ""],
  [["nobody"], 1, "No such container: nobody"],
];

for (const [args, code, printed] of ports) {
  test(`docker port ${args.join(" ")}`, async () => {
    const output = await docker("port", ...args);
    expect(output.code).toBe(code);
    if (code !== 0) expect(output.stderr).toContain(printed);
    else expect(lines(output.stdout).toSorted()).toEqual(lines(printed).toSorted());
  });
}

const waits: [args: string[], code: number, printed: string][] = [
  [["done"], 0, "0\n"],
  [["failed"], 0, "3\n"],
  [["done", "failed"], 0, "0\n3\n"],
  [["fresh"], 0, "0\n"],
  [["nobody"], 1, ""],
  [["failed", "nobody"], 1, "3\n"],
];

for (const [args, code, printed] of waits) {
  test(`docker wait ${args.join(" ")}`, async () => {
    const output = await docker("wait", ...args);
    expect({ code: output.code, stdout: output.stdout }).toEqual({ code, stdout: printed });
    if (code !== 0) expect(output.stderr).toContain("No such container: nobody");
  });
}

test("docker wait waits for the exit, and for the removal of what removes itself", async () => {
  await said("run", "-d", "--name", "soon", "busybox", "sh", "-c", "sleep 0.3; exit 8");
  await said("run", "-d", "--rm", "--name", "gone", "busybox", "sh", "-c", "sleep 0.3; exit 9");
  expect(await Promise.all([said("wait", "soon"), said("wait", "gone")])).toEqual(["8\n", "9\n"]);
  await said("rm", "soon");
});

/** Actions with what is special to each, oldest first. */
async function eventsOf(since: number, ...args: string[]): Promise<string[]> {
  const until = String(Date.now() / 1000);
  const format = "{{.Type}} {{.Action}}";
  return lines(await said("events", "--since", String(since), "--until", until, "--format", format, ...args));
}

test("docker events tells every step of a life, and filters it", async () => {
  const since = Date.now() / 1000;
  await said("run", "-d", "--name", "told", "--label", "told=yes", "busybox", "sleep", "1d");
  await said("exec", "told", "true");
  await said("pause", "told");
  await said("unpause", "told");
  await said("rename", "told", "retold");
  await said("kill", "-s", "CONT", "retold");
  await said("restart", "-t", "0", "retold");
  await said("stop", "-t", "0", "retold");
  await said("rm", "retold");
  await said("volume", "create", "told-data");
  await said("volume", "rm", "told-data");
  await said("tag", "busybox", "told:1");
  await said("rmi", "told:1");
  const life = [
    "create",
    "start",
    "exec_create: true",
    "exec_start: true",
    "exec_die",
    "pause",
    "unpause",
    "rename",
    "kill",
    "kill",
    "die",
    "stop",
    "start",
    "restart",
    "kill",
    "die",
    "stop",
    "destroy",
  ];
  // A stop whose time is over at once sends its signal and the killing one.
  const container = await eventsOf(since, "-f", "type=container", "-f", "label=told");
  expect(
    container.map((line) => line.replace("container ", "")).filter((action) => action !== "kill"),
  ).toEqual(life.filter((action) => action !== "kill"));
  expect(container.filter((line) => line === "container kill").length).toBeGreaterThanOrEqual(3);
  expect(await eventsOf(since, "-f", "type=volume", "-f", "volume=told-data")).toEqual([
    "volume create",
    "volume destroy",
  ]);
  expect(await eventsOf(since, "-f", "type=image")).toEqual(["image tag", "image untag"]);
  expect(await eventsOf(since, "-f", "container=retold", "-f", "event=rename")).toEqual(["container rename"]);
  expect(await eventsOf(since, "-f", "event=exec_start")).toEqual(["container exec_start: true"]);
  expect(await eventsOf(since, "-f", "event=destroy", "-f", "event=create", "-f", "label=told=yes")).toEqual([
    "container create",
    "container destroy",
  ]);
  expect(await eventsOf(since, "-f", "image=busybox", "-f", "event=rename")).toEqual(["container rename"]);
  expect(await eventsOf(since, "-f", "label=told=no")).toEqual([]);
  expect(await eventsOf(since, "-f", "scope=swarm")).toEqual([]);
  const refused = await docker("events", "-f", "nope=x", "--until", "0");
  expect(refused.stderr).toContain("invalid filter 'nope'");
}, 30_000);

test("docker events as text and as JSON carry the attributes", async () => {
  const since = String(Date.now() / 1000);
  await docker("run", "--rm", "--name", "texted", "--label", "a=b", "busybox", "sh", "-c", "exit 4");
  const until = String(Date.now() / 1000);
  const window = ["--since", since, "--until", until, "-f", "event=die"];
  const id = "[0-9a-f]{64}";
  expect(await said("events", ...window)).toMatch(
    new RegExp(
      `^\\S+ container die ${id} \\(a=b, execDuration=0, exitCode=4, image=busybox, name=texted\\)\n$`,
    ),
  );
  const event: unknown = JSON.parse(await said("events", "--format", "json", ...window));
  expect(event).toMatchObject({
    Type: "container",
    Action: "die",
    Actor: { Attributes: { exitCode: "4", name: "texted", image: "busybox", a: "b" } },
  });
});

test("docker container prune takes what its filters let it", async () => {
  for (const name of ["p-one", "p-two", "p-three"]) {
    await said("create", "--name", name, "--label", "prunable", "--label", `who=${name}`, "busybox", "true");
  }
  const prune = async (...filters: string[]): Promise<number> => {
    const output = await said("container", "prune", "-f", "--filter", "label=prunable", ...filters);
    expect(output).toMatch(/Total reclaimed space: \d/);
    return lines(output).filter((line) => /^[0-9a-f]{64}$/.test(line)).length;
  };
  expect(await prune("--filter", "until=10m")).toBe(0);
  expect(await prune("--filter", "until=2020-01-01T00:00:00Z")).toBe(0);
  expect(await prune("--filter", "label=who=p-one")).toBe(1);
  expect(await prune("--filter", "label!=who=p-two")).toBe(1);
  expect(await prune("--filter", `until=${Math.ceil(Date.now() / 1000) + 5}`)).toBe(1);
  const refused = await docker("container", "prune", "-f", "--filter", "status=exited");
  expect(refused.stderr).toContain("invalid filter 'status'");
  const kept = await said("ps", "-a", "--format", "{{.Names}}");
  expect(lines(kept)).toEqual(["still", "fresh", "failed", "done", "up"]);
});

test("docker volume and docker network show and remove what can be", async () => {
  await said("volume", "create", "--label", "kind=test", "v-one");
  expect(await said("volume", "ls", "-q", "-f", "label=kind=test")).toBe("v-one\n");
  expect(await said("volume", "inspect", "-f", "{{.Driver}} {{.Scope}} {{.Labels.kind}}", "v-one")).toBe(
    "local local test\n",
  );
  expect(lines(await said("volume", "ls", "-q", "-f", "dangling=true"))).toEqual(["v-one"]);
  expect(lines(await said("volume", "ls", "-q", "-f", "name=cli"))).toEqual(["cli-data"]);
  const used = await docker("volume", "rm", "cli-data");
  expect(used.stderr).toMatch(/remove cli-data: volume is in use - \[[0-9a-f]{64}\]/);
  expect(await said("volume", "prune", "-f")).toBe("Total reclaimed space: 0B\n");
  expect(await said("volume", "prune", "-a", "-f")).toContain("Deleted Volumes:\nv-one\n");
  expect((await docker("volume", "inspect", "v-one")).stderr).toContain("get v-one: no such volume");
  expect(lines(await said("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"))).toEqual([
    "bridge bridge local",
    "host host local",
    "none null local",
  ]);
  const inside = "{{range .Containers}}{{.Name}}{{end}}";
  expect(await said("network", "inspect", "-f", inside, "bridge")).toBe("up\n");
  expect((await docker("network", "rm", "host")).stderr).toContain(
    "pre-defined network and cannot be removed",
  );
});

test("the default network is bridge, by whatever name, and keeps the address it is asked for", async () => {
  const mac = "02:42:ac:11:00:99";
  for (const network of [[], ["--network", "default"], ["--network", "bridge"]]) {
    await said("run", "-d", "--name", "netted", "--mac-address", mac, ...network, "busybox", "sleep", "1d");
    const format = "{{range $name, $one := .NetworkSettings.Networks}}{{$name}} {{$one.MacAddress}}{{end}}";
    expect(await said("inspect", "-f", format, "netted")).toBe(`bridge ${mac}\n`);
    expect(await said("ps", "--format", "{{.Networks}}", "-f", "name=netted")).toBe("bridge\n");
    expect(await said("exec", "netted", "cat", "/sys/class/net/eth0/address")).toBe(`${mac}\n`);
    await said("rm", "-f", "netted");
  }
});

test("all that a container writes is logged since its start", async () => {
  for (let times = 0; times < 5; times++) {
    await said("run", "--name", "early", "busybox", "echo", "first");
    const start = (await said("inspect", "-f", "{{.State.StartedAt}}", "early")).trim();
    expect(await said("logs", "--since", start, "early")).toBe("first\n");
    await said("rm", "early");
  }
});

test("docker cp, diff, export, commit, top, stats and update", async () => {
  await said("run", "-d", "--name", "worked", "busybox", "sleep", "1d");
  const file = join(engine.folder, "sent.txt");
  await writeFile(file, "sent\n");
  await said("cp", "-q", file, "worked:/tmp/sent.txt");
  expect(await said("exec", "worked", "cat", "/tmp/sent.txt")).toBe("sent\n");
  await said("cp", "-q", "worked:/tmp", join(engine.folder, "taken"));
  expect(await readFile(join(engine.folder, "taken/sent.txt"), "utf8")).toBe("sent\n");
  expect((await docker("cp", "worked:/nothing", file)).stderr).toContain("Could not find the file /nothing");
  expect(lines(await said("diff", "worked"))).toEqual(["C /tmp", "A /tmp/sent.txt"]);
  await said("export", "-o", join(engine.folder, "root.tar"), "worked");
  expect((await run("tar", ["-tf", join(engine.folder, "root.tar"), "tmp/sent.txt"])).code).toBe(0);
  expect(
    await said("commit", "-m", "why", "-c", 'CMD ["cat", "/tmp/sent.txt"]', "worked", "cli/committed"),
  ).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  expect(await said("run", "--rm", "cli/committed")).toBe("sent\n");
  await said("rmi", "cli/committed");
  expect(await said("top", "worked", "-o", "pid,args")).toMatch(/^PID\s+COMMAND\n\d+\s+sleep 1d\n$/);
  expect(await said("stats", "--no-stream", "--format", "{{.Name}} {{.PIDs}}", "worked")).toBe("worked 1\n");
  await said("update", "-m", "64m", "--memory-swap", "-1", "--restart", "always", "worked");
  expect(
    await said("inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}", "worked"),
  ).toBe("67108864 always\n");
  await said("rm", "-f", "worked");
}, 30_000);

type Step = ["expect", string] | ["send", string] | ["resize", number, number];

/** The docker command line in a terminal of its own. */
async function typed(script: Step[], ...args: string[]): Promise<{ code: number; output: string }> {
  const program = guestFile("in-terminal.py");
  const { stdout, stderr } = await run(
    "/usr/bin/python3",
    [program, JSON.stringify(script), DOCKER, ...args],
    {
      env: { DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: engine.folder },
    },
  );
  expect(stderr).toBe("");
  return JSON.parse(stdout) as { code: number; output: string };
}

const CTRL_P = "\x10";
const CTRL_Q = "\x11";
const SHELL = ["busybox", "sh"];

const detachments: [name: string, flags: string[], keys: string][] = [
  ["ctrl-p,ctrl-q", [], `${CTRL_P}${CTRL_Q}`],
  ["keys of its own", ["--detach-keys", "ctrl-x,d"], "\x18d"],
];

for (const [name, flags, keys] of detachments) {
  test(`docker run -it is left by ${name}, and attached to and left again`, async () => {
    const left = await typed(
      [
        ["expect", "# "],
        ["send", "echo be$((20+3))\n"],
        ["expect", "be23"],
        ["send", keys],
      ],
      "run",
      "-it",
      "--name",
      "typed",
      ...flags,
      ...SHELL,
    );
    expect(left.code).toBe(0);
    expect(await said("ps", "-q", "-f", "name=typed")).not.toBe("");
    const again = await typed(
      [
        ["send", "echo re$((20+4))\n"],
        ["expect", "re24"],
        ["send", keys],
      ],
      "attach",
      ...flags,
      "typed",
    );
    // Docker's own client calls that a failure of attach, though not of run.
    expect(again.code).toBe(1);
    expect(again.output).toContain("read escape sequence");
    expect(await said("inspect", "-f", "{{.State.Running}}", "typed")).toBe("true\n");
    const last = await typed([["send", "exit 5\n"]], "attach", "typed");
    expect(last.code).toBe(5);
    await said("rm", "typed");
  }, 30_000);
}

test("docker exec -it is left by its keys and the command goes on", async () => {
  await said("run", "-d", "--name", "host-of-exec", "busybox", "sleep", "1d");
  const left = await typed(
    [
      ["expect", "# "],
      ["send", "(sleep 0.3; touch /left)& echo ok$((1+1))\n"],
      ["expect", "ok2"],
      ["send", `${CTRL_P}${CTRL_Q}`],
    ],
    "exec",
    "-it",
    "host-of-exec",
    "sh",
  );
  expect(left.output).toContain("read escape sequence");
  let found = -1;
  for (let tries = 100; tries > 0 && found !== 0; tries--) {
    found = (await docker("exec", "host-of-exec", "test", "-e", "/left")).code;
  }
  expect(found).toBe(0);
  await said("rm", "-f", "host-of-exec");
}, 30_000);

test("a terminal has the client's size from the start, and follows it", async () => {
  const { output, code } = await typed(
    [
      ["expect", "24 80"],
      // the container has its size from its creation: the client may be a moment from listening for changes
      ["expect", "24 80"],
      ["expect", "24 80"],
      ["expect", "24 80"],
      ["resize", 40, 120],
      ["expect", "40 120"],
      ["send", "\x03"],
    ],
    "run",
    "--rm",
    "-it",
    "busybox",
    "sh",
    "-c",
    "while :; do stty size; sleep 0.1; done",
  );
  expect({ code, isInterrupted: output.includes("^C") }).toEqual({ code: 130, isInterrupted: true });
}, 30_000);

for (const version of ["1.24", "1.41", "1.48"]) {
  test(`docker with DOCKER_API_VERSION=${version} takes a container through its life`, async () => {
    const at = async (...args: string[]): Promise<Output> =>
      await engine.docker(args, { env: { DOCKER_API_VERSION: version } });
    const ran = await at("run", "--name", "old", "busybox", "sh", "-c", "echo said; exit 4");
    expect({ code: ran.code, stdout: ran.stdout }).toEqual({ code: 4, stdout: "said\n" });
    expect((await at("logs", "old")).stdout).toBe("said\n");
    expect((await at("ps", "-a", "--format", "{{.Names}}", "-f", "name=old")).stdout).toBe("old\n");
    expect((await at("inspect", "-f", "{{.State.ExitCode}}", "old")).stdout).toBe("4\n");
    expect((await at("start", "-a", "old")).code).toBe(4);
    expect((await at("rm", "old")).code).toBe(0);
  });
}

test("an image is imported, built upon, tagged, listed and removed", async () => {
  const dockerfile = 'FROM busybox\nRUN echo built > /f\nCMD ["cat", "/f"]\n';
  const built = await engine.docker(["build", "-q", "-t", "cli/built:1", "-"], { input: dockerfile });
  expect(built.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
  await said("tag", "cli/built:1", "cli/built:2");
  expect(lines(await said("images", "--format", "{{.Repository}}:{{.Tag}}", "cli/built")).toSorted()).toEqual(
    ["cli/built:1", "cli/built:2"],
  );
  expect(await said("run", "--rm", "cli/built:2")).toBe("built\n");
  expect(await said("rmi", "cli/built:2", "cli/built:1")).toContain("Untagged: cli/built:1");
});
