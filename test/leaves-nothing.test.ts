import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { DARSE, DOCKER, FIXTURES, run, TestEngine } from "./engine.ts";
import { hostTraces } from "./host-traces.ts";

/** The folders of snapshots, which are numbers; what is being deleted is not among them. */
async function snapshotFolders(engine: TestEngine): Promise<string[]> {
  return (await readdir(join(engine.root, "snapshots"))).filter(
    (name) => !["empty", "trash", "views"].includes(name),
  );
}

test("after everything is removed and the engine has stopped, the host is as it was", async () => {
  const before = await hostTraces("darse-test-");
  const engine = await TestEngine.start();
  const folder = engine.folder;
  await engine.darse([
    "run",
    "-d",
    "--name",
    "web",
    "-p",
    "18791:80",
    "-p",
    "18791:53/udp",
    "busybox",
    "httpd",
    "-f",
  ]);
  await engine.darse(["run", "--rm", "busybox", "true"]);
  await engine.darse(["run", "--rm", "nope-not-there-command"]);
  await engine.docker(["run", "-d", "--network", "none", "busybox", "sleep", "1d"]);
  await engine.darse(["exec", "web", "true"]);
  await engine.docker(["build", "-t", "built", "-"], { input: "FROM busybox\nRUN echo built > /f\n" });
  await engine.removeAll();
  const left = await readdir(join(engine.root, "content/blobs/sha256"));
  const snapshots = await snapshotFolders(engine);
  await engine[Symbol.asyncDispose]();
  expect({ left, snapshots }).toEqual({ left: [], snapshots: [] });
  expect(await hostTraces(folder)).toEqual({ ...before, mounts: [], processes: [] });
}, 120_000);

test("ten commands at once start one engine", async () => {
  const folder = await mkdtemp(join(tmpdir(), "darse-test-"));
  const global = ["--root", join(folder, "root"), "--run", join(folder, "run")];
  const env = { DOCKER_HOST: "" };
  try {
    const outputs = await Promise.all(
      Array.from({ length: 10 }, () =>
        run(DARSE, [...global, "version", "--format", "{{.Server.Version}}"], { env }),
      ),
    );
    expect(outputs.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 10 }, () => ({ code: 0, stderr: "" })),
    );
    // those that came second end by themselves, a moment later
    const engines = async (): Promise<number> => {
      const { processes } = await hostTraces(folder);
      return processes.filter((command) => command.includes(" daemon ")).length;
    };
    for (let left = 200; left > 0 && (await engines()) > 1; left--) await Bun.sleep(10);
    expect(await engines()).toBe(1);
  } finally {
    const { stdout } = await run("cat", [join(folder, "run/darse.pid")]);
    if (stdout !== "") process.kill(Number(stdout), "SIGTERM");
    for (let left = 400; left > 0 && (await hostTraces(folder)).processes.length > 0; left--)
      await Bun.sleep(10);
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

test("an archive that is broken is refused, and nothing of it is kept", async () => {
  await using engine = await TestEngine.start();
  const archive = join(engine.folder, "busybox.tar");
  expect(await engine.darse(["save", "-o", archive, "busybox"])).toMatchObject({ code: 0 });
  await engine.removeAll();
  await run("truncate", ["-s", "-100000", archive]);
  for (const broken of [archive, "/etc/passwd"]) {
    const loaded = await engine.darse(["load", "-i", broken]);
    expect(loaded.code).toBe(1);
    expect(loaded.stderr.trim()).not.toBe("");
    expect((await engine.darse(["images", "-aq"])).stdout).toBe("");
  }
  expect(await readdir(join(engine.root, "content/ingest"))).toEqual([]);
  expect(await snapshotFolders(engine)).toEqual([]);
}, 60_000);

test("another user is refused the socket in one sentence with the next command", async () => {
  await using engine = await TestEngine.start();
  await run("chmod", ["755", engine.folder]);
  const client = await run("setpriv", [
    "--reuid",
    "65534",
    "--clear-groups",
    DARSE,
    "-H",
    `unix://${engine.socket}`,
    "ps",
  ]);
  expect(client.code).toBe(1);
  expect(client.stderr).toMatch(/permission denied.*\n.*sudo/i);
}, 60_000);

test("without crun the engine says what to install", async () => {
  await using engine = await TestEngine.start();
  await engine.stopDaemon("SIGTERM");
  const hide = `mkdir ${engine.folder}/up ${engine.folder}/work
    mount -t overlay -o lowerdir=/usr/bin,upperdir=${engine.folder}/up,workdir=${engine.folder}/work overlay /usr/bin
    rm /usr/bin/crun
    exec "$@"`;
  await engine.startDaemon(["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh"]);
  const ran = await engine.darse(["run", "--rm", "busybox", "true"]);
  expect(ran.code).toBe(125);
  expect(ran.stderr).toMatch(/(crun|conmon).*not installed[\s\S]*apt-get install/);
  await engine.stopDaemon("SIGTERM");
  await engine.startDaemon();
}, 60_000);

test("the docker command line and the fixtures are there", async () => {
  expect((await run(DOCKER, ["--version"])).stdout).toContain("Docker version");
  expect(await readdir(FIXTURES)).toContain("busybox.tar");
});
