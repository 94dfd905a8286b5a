import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Output, type RunOptions, TestEngine } from "./engine.ts";

// The same facts through the unmodified docker command line and through our own, on one engine.

let engine: TestEngine;
let shared: string;

beforeAll(async () => {
  engine = await TestEngine.start();
  shared = await mkdtemp(join(tmpdir(), "darse-shared-"));
  await writeFile(join(shared, "hello"), "from the host\n");
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(shared, { recursive: true, force: true });
}, 60_000);

type Client = (args: readonly string[], options?: RunOptions) => Promise<Output>;

const clients: [string, Client][] = [
  ["docker", (args, options) => engine.docker(args, options)],
  ["darse", (args, options) => engine.darse(args, options)],
];

interface Case {
  readonly fact: string;
  readonly args: readonly string[];
  readonly input?: string;
  readonly code?: number;
  readonly stdout?: string | RegExp;
  readonly stderr?: string | RegExp;
}

const runs: Case[] = [
  {
    fact: "output and error output stay apart",
    args: ["sh", "-c", "echo out; echo err >&2"],
    stdout: "out\n",
    stderr: "err\n",
  },
  { fact: "the exit code is the command's", args: ["sh", "-c", "exit 7"], code: 7 },
  {
    fact: "a missing command gives 127",
    args: ["nosuchthing"],
    code: 127,
    stderr: /nosuchthing.*executable file not found in \$PATH/,
  },
  {
    fact: "a command that is no program gives 126",
    args: ["/etc/passwd"],
    code: 126,
    stderr: /permission denied/,
  },
];

const withOptions: Case[] = [
  { fact: "-i hands standard input in", args: ["-i", "busybox", "cat"], input: "line\n", stdout: "line\n" },
  { fact: "-e sets a variable", args: ["-e", "A=b c", "busybox", "sh", "-c", 'echo "$A"'], stdout: "b c\n" },
  {
    fact: "-w sets the working directory, made when missing",
    args: ["-w", "/made/here", "busybox", "pwd"],
    stdout: "/made/here\n",
  },
  {
    fact: "-u runs as that user and group",
    args: ["-u", "1234:567", "busybox", "sh", "-c", "id -u; id -g"],
    stdout: "1234\n567\n",
  },
  { fact: "-u by name", args: ["-u", "nobody", "busybox", "id", "-u"], stdout: "65534\n" },
  {
    fact: "an unknown user is refused by name",
    args: ["-u", "nosuchuser", "busybox", "true"],
    code: 125,
    stderr: /nosuchuser.*passwd/,
  },
  {
    fact: "--hostname is what hostname says",
    args: ["--hostname", "named", "busybox", "hostname"],
    stdout: "named\n",
  },
  {
    fact: "--entrypoint replaces the image's",
    args: ["--entrypoint", "/bin/echo", "busybox", "a", "b"],
    stdout: "a b\n",
  },
  {
    fact: "-t gives a terminal",
    args: ["-t", "busybox", "sh", "-c", "test -t 1 && echo tty"],
    stdout: "tty\r\n",
  },
  {
    fact: "--network none has lo alone",
    args: ["--network", "none", "busybox", "ls", "/sys/class/net"],
    stdout: "lo\n",
  },
  {
    fact: "the bridge gives eth0 an address of its network",
    args: ["busybox", "sh", "-c", "ip -4 addr show eth0 | grep -c inet"],
    stdout: "1\n",
  },
  { fact: "a container has its own process tree", args: ["busybox", "sh", "-c", "echo $$"], stdout: "1\n" },
  {
    fact: "--read-only keeps the root as it is",
    args: ["--read-only", "busybox", "touch", "/x"],
    code: 1,
    stderr: /Read-only file system/,
  },
  {
    fact: "--tmpfs is writable",
    args: ["--read-only", "--tmpfs", "/tmp", "busybox", "touch", "/tmp/x"],
    code: 0,
  },
  {
    fact: "--cap-drop takes a capability",
    args: ["--cap-drop", "CHOWN", "busybox", "chown", "1", "/tmp"],
    code: 1,
    stderr: /not permitted/,
  },
  {
    fact: "--memory limits",
    args: [
      "-m",
      "64m",
      "busybox",
      "sh",
      "-c",
      "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true",
    ],
    stdout: "67108864\n",
  },
  {
    fact: "a missing image is refused by name",
    args: ["--pull", "never", "nosuchimage", "true"],
    code: 125,
    stderr: /No such image: nosuchimage:latest/,
  },
  {
    fact: "a bad memory limit is refused",
    args: ["-m", "1k", "busybox", "true"],
    code: 125,
    stderr: /[Mm]inimum memory limit allowed is 6MB/,
  },
];

for (const [name, client] of clients) {
  const check = async (
    { args, input, code = 0, stdout, stderr }: Case,
    prefix: readonly string[],
  ): Promise<void> => {
    const output = await client([...prefix, ...args], input === undefined ? {} : { input });
    expect(output).toMatchObject({
      code,
      ...(typeof stdout === "string" && { stdout }),
      ...(typeof stderr === "string" && { stderr }),
    });
    if (stdout instanceof RegExp) expect(output.stdout).toMatch(stdout);
    if (stderr instanceof RegExp) expect(output.stderr).toMatch(stderr);
  };

  for (const fact of runs) test(`${name} run: ${fact.fact}`, () => check(fact, ["run", "--rm", "busybox"]));
  for (const fact of withOptions) test(`${name} run: ${fact.fact}`, () => check(fact, ["run", "--rm"]));

  test(`${name} run -v shares a folder of the host, :ro for reading only`, async () => {
    const read = await client(["run", "--rm", "-v", `${shared}:/s:ro`, "busybox", "cat", "/s/hello"]);
    expect(read.stdout).toBe("from the host\n");
    const write = await client(["run", "--rm", "-v", `${shared}:/s:ro`, "busybox", "touch", "/s/x"]);
    expect(write.stderr).toContain("Read-only file system");
  });

  test(`${name} run -v keeps a named volume between containers`, async () => {
    await client([
      "run",
      "--rm",
      "-v",
      `${name}-kept:/data`,
      "busybox",
      "sh",
      "-c",
      "echo kept > /data/file",
    ]);
    const { stdout } = await client([
      "run",
      "--rm",
      "-v",
      `${name}-kept:/data`,
      "busybox",
      "cat",
      "/data/file",
    ]);
    expect(stdout).toBe("kept\n");
  });

  test(`${name}: a container's life, detached`, async () => {
    const started = await client([
      "run",
      "-d",
      "--name",
      `${name}-life`,
      "busybox",
      "sh",
      "-c",
      "echo begun; exec sleep 1d",
    ]);
    expect(started.stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect(
      (await client(["ps", "--format", "{{.Names}} {{.Image}}", "--filter", `name=${name}-life`])).stdout,
    ).toBe(`${name}-life busybox\n`);
    expect((await client(["exec", `${name}-life`, "echo", "inside"])).stdout).toBe("inside\n");
    expect((await client(["exec", "-i", `${name}-life`, "cat"], { input: "piped" })).stdout).toBe("piped");
    expect((await client(["exec", `${name}-life`, "sh", "-c", "exit 3"])).code).toBe(3);
    expect((await client(["exec", `${name}-life`, "nosuchthing"])).code).toBe(127);
    expect((await client(["logs", `${name}-life`])).stdout).toBe("begun\n");
    const taken = await client(["run", "-d", "--name", `${name}-life`, "busybox", "true"]);
    expect(taken.code).toBe(125);
    expect(taken.stderr).toContain(`The container name "/${name}-life" is already in use by container`);
    const busy = await client(["rm", `${name}-life`]);
    expect(busy.code).toBe(1);
    expect(busy.stderr).toMatch(/container is running: stop the container before removing or force remove/);
    expect((await client(["stop", "-t", "1", `${name}-life`])).stdout).toBe(`${name}-life\n`);
    const state = await client([
      "inspect",
      "--format",
      "{{.State.Status}} {{.State.ExitCode}}",
      `${name}-life`,
    ]);
    expect(state.stdout).toBe("exited 137\n");
    expect((await client(["rm", `${name}-life`])).stdout).toBe(`${name}-life\n`);
    expect((await client(["inspect", `${name}-life`])).code).toBe(1);
  }, 30_000);

  test(`${name} logs -f ends with the container and has every line`, async () => {
    await client([
      "run",
      "-d",
      "--name",
      `${name}-lines`,
      "busybox",
      "sh",
      "-c",
      "for i in $(seq 500); do echo line $i; done",
    ]);
    const { stdout } = await client(["logs", "-f", `${name}-lines`]);
    expect(stdout.trimEnd().split("\n")).toEqual(
      Array.from({ length: 500 }, (_, index) => `line ${index + 1}`),
    );
    await client(["rm", "-f", `${name}-lines`]);
  }, 30_000);

  test(`${name} run -p publishes on the host's loopback; a taken port names its holder`, async () => {
    const script = "echo page > index.html; exec httpd -f -p 80";
    const { code, stderr } = await client([
      "run",
      "-d",
      "--name",
      `${name}-web`,
      "-p",
      "127.0.0.1:18777:80",
      "-w",
      "/www",
      "busybox",
      "sh",
      "-c",
      script,
    ]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect((await client(["port", `${name}-web`])).stdout).toBe("80/tcp -> 127.0.0.1:18777\n");
    let page = "";
    for (let left = 100; left > 0 && page === ""; left--) {
      page = await fetch("http://127.0.0.1:18777/").then(
        (answer) => answer.text(),
        () => "",
      );
      if (page === "") await Bun.sleep(20);
    }
    expect(page).toBe("page\n");
    const taken = await client(["run", "--rm", "-p", "127.0.0.1:18777:80", "busybox", "true"]);
    expect(taken.code).toBe(125);
    expect(taken.stderr).toMatch(new RegExp(`18777.*port is already allocated.*${name}-web`, "s"));
    expect((await client(["rm", "-f", `${name}-web`])).code).toBe(0);
  }, 30_000);

  test(`${name}: images are saved, removed, loaded and tagged`, async () => {
    const archive = join(shared, `${name}.tar`);
    expect((await client(["tag", "busybox", `${name}/copy:1`])).code).toBe(0);
    const id = (await client(["image", "inspect", "--format", "{{.Id}}", "busybox"])).stdout;
    expect((await client(["save", "-o", archive, `${name}/copy:1`])).stderr).toBe("");
    expect((await client(["rmi", `${name}/copy:1`])).stdout).toContain(`Untagged: ${name}/copy:1\n`);
    expect((await client(["load", "-i", archive])).stdout).toContain(`Loaded image: ${name}/copy:1\n`);
    expect((await client(["image", "inspect", "--format", "{{.Id}}", `${name}/copy:1`])).stdout).toBe(id);
    expect((await client(["run", "--rm", `${name}/copy:1`, "echo", "runs"])).stdout).toBe("runs\n");
    expect((await client(["rmi", `${name}/copy:1`])).code).toBe(0);
  }, 30_000);
}
