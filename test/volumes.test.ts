import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { type Output, run, TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

// Volumes as people use them, through the unmodified docker command line, our own, and the API itself.

const isReal = needs("root", "overlay", "crun", "conmon", "busybox", "docker-cli");
/** Far more than it takes on a machine that is busy. */
const real = (name: string, work: () => Promise<void>): void => isReal(name, work, 120_000);

let engine: TestEngine;
let host: string;

beforeAll(async () => {
  engine = await TestEngine.start();
  host = await mkdtemp(join(tmpdir(), "darse-volumes-"));
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(host, { recursive: true, force: true });
}, 60_000);

async function succeed(output: Promise<Output>): Promise<string> {
  const { code, stdout, stderr } = await output;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const docker = (...args: string[]): Promise<string> => succeed(engine.docker(args));
const darse = (...args: string[]): Promise<string> => succeed(engine.darse(args));

/** The file systems mounted below the engine's folder for volumes. */
async function mountedVolumes(): Promise<string[]> {
  const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
  return lines.flatMap((line) => {
    const target = line.split(" ")[4] ?? "";
    return target.startsWith(join(engine.root, "volumes")) ? [target] : [];
  });
}

interface VolumeAnswer {
  readonly Name: string;
  readonly Options: Record<string, string> | null;
  readonly Labels: Record<string, string>;
  readonly Status?: Record<string, string>;
}

async function inspect(name: string): Promise<VolumeAnswer> {
  const { status, text } = await engine.api("GET", `/volumes/${name}`);
  expect(status).toBe(200);
  return JSON.parse(text) as VolumeAnswer;
}

real(
  "a volume in memory is there from the first container to the last, and after a kill of the engine",
  async () => {
    await docker(
      "volume",
      "create",
      "-o",
      "type=tmpfs",
      "-o",
      "device=tmpfs",
      "-o",
      "o=size=1m,uid=7",
      "mem",
    );
    expect((await inspect("mem")).Options).toEqual({ type: "tmpfs", device: "tmpfs", o: "size=1m,uid=7" });
    expect(await mountedVolumes()).toEqual([]);
    const script = "echo kept > /m/file; stat -c %u /m; sleep 1d";
    await docker("run", "-d", "--name", "mem1", "-v", "mem:/m", "busybox", "sh", "-c", script);
    const data = join(engine.root, "volumes/mem/_data");
    expect(await mountedVolumes()).toEqual([data]);
    expect(
      await docker("run", "--rm", "-v", "mem:/m", "busybox", "sh", "-c", "until cat /m/file; do :; done"),
    ).toBe("kept\n");
    expect(await mountedVolumes()).toEqual([data]);
    await engine.stopDaemon("SIGKILL");
    await engine.startDaemon();
    expect(await mountedVolumes()).toEqual([data]);
    expect(await docker("run", "--rm", "-v", "mem:/m", "busybox", "cat", "/m/file")).toBe("kept\n");
    expect((await docker("cp", "mem1:/m/file", "-")).includes("kept")).toBe(true);
    await docker("rm", "-f", "mem1");
    expect(await mountedVolumes()).toEqual([]);
    await docker("volume", "rm", "mem");
  },
);

real("a bound volume leaves what it is bound to when it is removed", async () => {
  const bound = join(host, "bound");
  await mkdir(bound);
  await writeFile(join(bound, "precious"), "x");
  const options = ["-o", "type=none", "-o", `device=${bound}`, "-o", "o=bind,ro"];
  await docker("volume", "create", ...options, "bound");
  const write = await engine.docker(["run", "--rm", "-v", "bound:/b", "busybox", "touch", "/b/x"]);
  expect(write.stderr).toContain("Read-only file system");
  expect(await docker("run", "--rm", "-v", "bound:/b:ro", "busybox", "ls", "/b")).toBe("precious\n");
  expect(await mountedVolumes()).toEqual([]);
  await docker("volume", "prune", "-af");
  expect((await inspect("bound")).Name).toBe("bound");
  await docker("volume", "rm", "bound");
  expect(await readFile(join(bound, "precious"), "utf8")).toBe("x");
});

real("a volume that can not be mounted keeps its container from being made, and says why", async () => {
  await docker("volume", "create", "-o", "type=none", "-o", "device=/no/such", "-o", "o=bind", "gone");
  const { code, stderr } = await engine.docker(["run", "--name", "nogo", "-v", "gone:/g", "busybox", "true"]);
  // docker's own choice, from the text of the kernel's refusal
  expect(code).toBe(127);
  expect(stderr).toContain("failed to mount local volume: mount /no/such:");
  expect((await engine.api("GET", "/containers/nogo/json")).status).toBe(404);
  expect(await mountedVolumes()).toEqual([]);
  await docker("volume", "rm", "gone");
});

const refusals: [what: string, body: object, status: number, message: string][] = [
  ["an option of nobody", { DriverOpts: { color: "red" } }, 400, 'create bad: invalid option: "color"'],
  ["half of the options", { DriverOpts: { o: "bind" } }, 400, 'missing required option: "device"'],
  ["a quota", { DriverOpts: { size: "1m" } }, 400, "quota size requested but no quota support"],
  ["another driver", { Driver: "nfs" }, 404, 'plugin "nfs" not found'],
  ["a cluster's volume", { ClusterVolumeSpec: {} }, 503, "This node is not a swarm manager."],
];
for (const [what, body, status, message] of refusals) {
  real(`${what} is refused and nothing is made`, async () => {
    const answer = await engine.api("POST", "/volumes/create", { Name: "bad", ...body });
    expect(answer.status).toBe(status);
    expect(answer.text).toContain(JSON.stringify(message).slice(1, -1));
    expect((await engine.api("GET", "/volumes/bad")).status).toBe(404);
  });
}

real("a name has one driver, and an update is for swarms", async () => {
  await docker("volume", "create", "one");
  const clash = await engine.api("POST", "/volumes/create", { Name: "one", Driver: "nfs" });
  expect([clash.status, clash.text.includes("volume name must be unique")]).toEqual([409, true]);
  const update = await engine.api("PUT", "/volumes/one?version=1", { Spec: {} });
  expect(update.status).toBe(503);
  expect(update.text).toContain("volume update only valid for cluster volumes, but swarm is unavailable");
});

real("export and import keep owners, modes, links, attributes and the top's own", async () => {
  const make =
    "cd /v && echo a > a && ln a hard && ln -s a soft && mkdir d && chown 5:6 a && chmod 4750 a && chown 7:8 . && chmod 1770 .";
  await docker("run", "--rm", "-v", "from:/v", "busybox", "sh", "-c", make);
  const tar = join(host, "from.tar");
  await darse("volume", "export", "-o", tar, "from");
  await darse("volume", "import", "-i", tar, "to");
  const list = "cd /v && stat -c '%n %u %g %a %h' . a hard d && readlink soft";
  const listed = ". 7 8 1770 3\na 5 6 4750 2\nhard 5 6 4750 2\nd 0 0 755 2\na\n";
  expect(await docker("run", "--rm", "-v", "to:/v", "busybox", "sh", "-c", list)).toBe(listed);
  const again = await engine.darse(["volume", "import", "-i", tar, "to"]);
  expect(again.stderr).toContain("import to: volume is not empty");
  await docker("run", "--rm", "-v", "to:/v", "busybox", "touch", "/v/extra");
  await darse("volume", "import", "--replace", "-i", tar, "to");
  expect(await docker("run", "--rm", "-v", "to:/v", "busybox", "sh", "-c", list)).toBe(listed);
  await writeFile(join(host, "broken.tar"), Buffer.alloc(2048, 7));
  expect((await engine.darse(["volume", "import", "-i", join(host, "broken.tar"), "broken"])).code).not.toBe(
    0,
  );
  expect((await engine.api("GET", "/volumes/broken")).status).toBe(404);
});

real("a clone is a volume of its own; a name that is taken is refused", async () => {
  await docker("run", "--rm", "-v", "origin:/v", "busybox", "sh", "-c", "echo one > /v/file; chown 3 /v");
  await darse("volume", "clone", "origin", "copy");
  await docker("run", "--rm", "-v", "copy:/v", "busybox", "sh", "-c", "echo two >> /v/file");
  expect(await docker("run", "--rm", "-v", "origin:/v", "busybox", "cat", "/v/file")).toBe("one\n");
  expect(
    await docker("run", "--rm", "-v", "copy:/v", "busybox", "sh", "-c", "cat /v/file; stat -c %u /v"),
  ).toBe("one\ntwo\n3\n");
  expect((await engine.darse(["volume", "clone", "origin", "copy"])).stderr).toContain("already exists");
});

real("containers follow a volume to its new name; while one runs it keeps the old", async () => {
  await docker(
    "run",
    "-d",
    "--name",
    "holder",
    "-v",
    "old:/v:rw",
    "busybox",
    "sh",
    "-c",
    "echo here >> /v/f; sleep 1d",
  );
  await docker("exec", "holder", "sh", "-c", "until grep -q here /v/f; do :; done");
  const busy = await engine.darse(["volume", "rename", "old", "new"]);
  expect(busy.stderr).toContain("rename old: volume is in use - [");
  await docker("stop", "-t", "0", "holder");
  await darse("volume", "rename", "old", "new");
  expect((await engine.api("GET", "/volumes/old")).status).toBe(404);
  await docker("start", "holder");
  expect(
    await docker("exec", "holder", "sh", "-c", "until [ $(wc -l < /v/f) = 2 ]; do :; done; cat /v/f"),
  ).toBe("here\nhere\n");
  const format = "{{(index .Mounts 0).Name}} {{index .HostConfig.Binds 0}}";
  expect(await docker("inspect", "-f", format, "holder")).toBe("new new:/v:rw\n");
  expect((await engine.docker(["volume", "rm", "new"])).stderr).toContain("volume is in use - [");
  await docker("rm", "-f", "holder");
});

real("the data of a container that is gone are found by its name", async () => {
  await docker(
    "run",
    "--name",
    "lost",
    "-v",
    "/var/lib/db",
    "busybox",
    "sh",
    "-c",
    "echo row > /var/lib/db/t",
  );
  await docker("rm", "lost");
  const row = (await darse("volume", "ls", "--format", "{{.Name}} {{.Status}}"))
    .split("\n")
    .find((line) => line.includes("lost"));
  const [name = ""] = row?.split(" ") ?? [];
  expect(row).toBe(`${name} lost (busybox) /var/lib/db`);
  expect((await inspect(name)).Status).toMatchObject({
    ContainerName: "lost",
    Image: "busybox",
    Path: "/var/lib/db",
  });
  expect(await docker("volume", "inspect", "-f", "{{.Status.Path}}", name)).toBe("/var/lib/db\n");
  await darse("volume", "rename", name, "found");
  expect(await docker("run", "--rm", "-v", "found:/db", "busybox", "cat", "/db/t")).toBe("row\n");
});

real("cp sees of a volume what its subpath names", async () => {
  await docker(
    "run",
    "--rm",
    "-v",
    "whole:/v",
    "busybox",
    "sh",
    "-c",
    "mkdir /v/part; echo part > /v/part/f; echo whole > /v/f",
  );
  const mount = "type=volume,src=whole,dst=/data,volume-subpath=part";
  await docker("create", "--name", "sub", "--mount", mount, "busybox", "cat", "/data/f");
  expect((await docker("cp", "sub:/data/f", "-")).includes("part\n")).toBe(true);
  await writeFile(join(host, "in"), "in\n");
  await docker("cp", join(host, "in"), "sub:/data/in");
  expect((await stat(join(engine.root, "volumes/whole/_data/part/in"))).isFile()).toBe(true);
  expect(await docker("start", "-a", "sub")).toBe("part\n");
});

real("an image is mounted read-only, all of it or a part; its name may move on", async () => {
  const whole = ["--mount", "type=image,src=busybox,dst=/img"];
  const part = ["--mount", "type=image,src=busybox,dst=/etcs,image-subpath=etc"];
  await darse(
    "create",
    "--name",
    "imaged",
    ...whole,
    ...part,
    "busybox",
    "sh",
    "-c",
    "cat /img/etc/group /etcs/group; touch /img/x",
  );
  const { code, stdout, stderr } = await engine.darse(["start", "-a", "imaged"]);
  const group = "root:x:0:\nnogroup:x:65534:\n";
  expect(stdout).toBe(group + group);
  expect(stderr).toContain("Read-only file system");
  expect(code).toBe(1);
  expect(await docker("inspect", "-f", "{{(index .Mounts 0).Type}} {{(index .Mounts 0).RW}}", "imaged")).toBe(
    "image false\n",
  );
  const missing = await engine.darse(["create", "--mount", "type=image,src=nosuch,dst=/i", "busybox"]);
  expect(missing.stderr).toContain("No such image: nosuch");
  await docker("rm", "imaged");
  const body = { Image: "busybox", HostConfig: { Mounts: [{ Type: "cluster", Source: "c", Target: "/c" }] } };
  expect((await engine.api("POST", "/containers/create", body)).status).toBe(400);
});

real("a bind spreads mounts only where its source does", async () => {
  const source = join(host, "spread");
  await mkdir(source);
  const mount = (...args: string[]): Promise<string> => succeed(run("mount", args));
  await mount("--bind", source, source);
  try {
    await mount("--make-private", source);
    const refused = await engine.docker(["run", "--rm", "-v", `${source}:/p:rshared`, "busybox", "true"]);
    expect(refused.stderr).toContain(`path ${source} is mounted on ${source} but it is not a shared mount`);
    await mount("--make-shared", source);
    await docker("run", "--rm", "-v", `${source}:/p:rshared`, "busybox", "true");
    await docker("run", "--rm", "-v", `${source}:/p:rslave`, "busybox", "true");
  } finally {
    await succeed(run("umount", ["-l", source]));
  }
});

// CVE-2021-30465, CVE-2024-45310: a name is swapped for a link while somebody mounts on it.
real("volumes in volumes, raced by their sharer, put nothing outside the root", async () => {
  const outside = join(host, "outside");
  await mkdir(outside);
  await writeFile(join(outside, "canary"), "whole");
  const flip = `while :; do rm -rf /v/a; ln -s ${outside} /v/a; rm -f /v/a; ln -s /../../../../../..${outside} /v/a; rm -f /v/a; mkdir -p /v/a; done`;
  await docker("run", "-d", "--name", "racer", "-v", "race:/v", "busybox", "sh", "-c", flip);
  const starts = Array.from({ length: 12 }, async (_, round) => {
    const nested = ["-v", "race:/v", "-v", `inner${round}:/v/a/made`];
    // Who loses the race is refused or runs; neither may touch the host.
    await engine.docker(["run", "--rm", ...nested, "busybox", "touch", "/v/a/made/x"]);
    const subpath = `type=volume,src=race,dst=/s,volume-subpath=a`;
    return await engine.docker(["run", "--rm", "--mount", subpath, "busybox", "ls", "/s"]);
  });
  for (const { stdout } of await Promise.all(starts)) expect(stdout).not.toContain("canary");
  await docker("rm", "-f", "racer");
  expect((await readdir(outside)).toSorted()).toEqual(["canary"]);
  expect(await readFile(join(outside, "canary"), "utf8")).toBe("whole");
});
