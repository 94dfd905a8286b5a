import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { GenericContainer, getContainerRuntimeClient, Wait } from "testcontainers";
import { serveFacts } from "./serve-facts.mjs";

async function withContainer(container, work) {
  const started = await container.withStartupTimeout(20_000).start();
  try {
    return await work(started);
  } finally {
    await started.stop({ timeout: 0 });
  }
}

const busybox = (...command) => new GenericContainer("busybox").withCommand(command);

const web = () =>
  busybox("sh", "-c", "sleep 0.3; echo page > index.html; exec httpd -f -p 8080")
    .withWorkingDir("/www")
    .withExposedPorts(8080);

const pageOf = async (started) =>
  await (await fetch(`http://${started.getHost()}:${started.getMappedPort(8080)}/`)).text();

await serveFacts({
  async "the runtime is found, and what it says of itself is understood"() {
    const client = await getContainerRuntimeClient();
    const { operatingSystemType, cpus, memory } = client.info.containerRuntime;
    assert.equal(operatingSystemType, "linux");
    assert.ok(cpus > 0 && memory > 0);
  },

  async "a container is ready when its log says so"() {
    const container = busybox("sh", "-c", "sleep 0.3; echo now ready; sleep 1d").withWaitStrategy(
      Wait.forLogMessage(/now \w+/),
    );
    await withContainer(container, async (started) => {
      const { output, exitCode } = await started.exec(["echo", "inside"]);
      assert.deepEqual([output, exitCode], ["inside\n", 0]);
    });
  },

  async "a container is ready when its port listens, inside and outside"() {
    await withContainer(web().withWaitStrategy(Wait.forListeningPorts()), async (started) => {
      assert.equal(await pageOf(started), "page\n");
      assert.ok(started.getMappedPort(8080) > 0);
    });
  },

  async "a container is ready when it answers over HTTP"() {
    await withContainer(web().withWaitStrategy(Wait.forHttp("/", 8080).forStatusCode(200)), async (started) => {
      assert.equal(await pageOf(started), "page\n");
    });
  },

  async "a container is ready when a command in it succeeds"() {
    const container = busybox("sh", "-c", "sleep 0.3; touch /tmp/ready; sleep 1d").withWaitStrategy(
      Wait.forSuccessfulCommand("test -e /tmp/ready"),
    );
    await withContainer(container, async (started) => {
      assert.equal((await started.exec(["ls", "/tmp/ready"])).exitCode, 0);
    });
  },

  async "a container that runs once is ready when it has ended"() {
    const container = busybox("true").withWaitStrategy(Wait.forOneShotStartup());
    await withContainer(container, async (started) => assert.match(started.getId(), /^[0-9a-f]{64}$/));
  },

  async "exec has both streams, its exit code, a directory, a user and variables"() {
    await withContainer(busybox("sleep", "1d"), async (started) => {
      const result = await started.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
      assert.deepEqual([result.exitCode, result.stdout, result.stderr], [3, "out\n", "err\n"]);
      const options = { workingDir: "/tmp", user: "nobody", env: { A: "b" } };
      const { output } = await started.exec(["sh", "-c", "echo $A $(pwd) $(id -u)"], options);
      assert.equal(output, "b /tmp 65534\n");
    });
  },

  async "variables, labels, a name, binds, tmpfs, a user and a hostname are applied"() {
    const folder = await mkdtemp(join(tmpdir(), "darse-tc-"));
    await chmod(folder, 0o755);
    await writeFile(join(folder, "file"), "of the host\n");
    const container = busybox("sleep", "1d")
      .withName("tc-named")
      .withEnvironment({ WORD: "said" })
      .withLabels({ "of.mine": "yes" })
      .withBindMounts([{ source: folder, target: "/bound", mode: "ro" }])
      .withTmpFs({ "/scratch": "rw" })
      .withHostname("named")
      .withUser("nobody");
    await withContainer(container, async (started) => {
      const { output } = await started.exec(["sh", "-c", "hostname; echo $WORD; cat /bound/file; id -u"]);
      assert.equal(output, "named\nsaid\nof the host\n65534\n");
      assert.equal(started.getName().replace(/^\//, ""), "tc-named");
      assert.equal(started.getLabels()["of.mine"], "yes");
      assert.equal(started.getHostname(), "named");
    });
    await rm(folder, { recursive: true });
  },

  async "files are copied in before the start and while it runs, and out again"() {
    const container = busybox("sh", "-c", "cat /early; sleep 1d")
      .withCopyContentToContainer([{ content: "before\n", target: "/early" }])
      .withWaitStrategy(Wait.forLogMessage("before"));
    await withContainer(container, async (started) => {
      await started.copyContentToContainer([{ content: "while\n", target: "/tmp/late", mode: 0o600 }]);
      assert.equal((await started.exec(["cat", "/tmp/late"])).output, "while\n");
      const archive = await buffer(await started.copyArchiveFromContainer("/tmp/late"));
      assert.ok(archive.includes("while\n"));
    });
  },

  async "a container is ready when its health check says so"() {
    const container = busybox("sh", "-c", "sleep 0.3; touch /tmp/well; sleep 1d")
      .withHealthCheck({ test: ["CMD-SHELL", "test -e /tmp/well"], interval: 100, timeout: 1000, retries: 50 })
      .withWaitStrategy(Wait.forHealthCheck());
    await withContainer(container, async (started) => {
      assert.equal((await started.exec(["test", "-e", "/tmp/well"])).exitCode, 0);
    });
  },

  async "a container is committed to an image"() {
    await withContainer(busybox("sleep", "1d"), async (started) => {
      await started.exec(["sh", "-c", "echo kept > /kept"]);
      const id = await started.commit({ repo: "tc/committed", tag: "1", deleteOnExit: false });
      assert.match(id, /^sha256:/);
    });
    await withContainer(new GenericContainer("tc/committed:1").withCommand(["sleep", "1d"]), async (started) => {
      assert.equal((await started.exec(["cat", "/kept"])).output, "kept\n");
    });
  },

  async "logs are streamed to who asks for them"() {
    const lines = [];
    const container = busybox("sh", "-c", "echo one; echo two; sleep 1d").withLogConsumer((stream) => {
      stream.on("data", (line) => lines.push(line.toString().trim()));
    });
    await withContainer(container.withWaitStrategy(Wait.forLogMessage("two")), async (started) => {
      const log = await started.logs();
      const first = await new Promise((resolve) => log.once("data", resolve));
      assert.match(first.toString(), /one/);
      log.destroy();
      for (let left = 100; left > 0 && lines.length < 2; left--) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.deepEqual(lines, ["one", "two"]);
    });
  },

  async "a container restarts, and stops for good"() {
    const started = await busybox("sh", "-c", "echo begun; sleep 1d")
      .withWaitStrategy(Wait.forLogMessage("begun"))
      .start();
    await started.restart({ timeout: 0 });
    assert.equal((await started.exec(["true"])).exitCode, 0);
    const stopped = await started.stop({ timeout: 0, remove: false });
    assert.equal(stopped.getId(), started.getId());
    await (await getContainerRuntimeClient()).container.getById(started.getId()).remove({ force: true });
  },

  async "a container that never becomes ready is told of, and removed"() {
    const container = busybox("sh", "-c", "echo broken; exit 1").withWaitStrategy(Wait.forLogMessage("ready"));
    await assert.rejects(container.withStartupTimeout(3000).start(), /ready/);
  },

  async "an image is built from a Dockerfile"() {
    const folder = await mkdtemp(join(tmpdir(), "darse-tc-"));
    await writeFile(join(folder, "Dockerfile"), 'FROM busybox\nARG WORD\nRUN echo $WORD > /word\nCMD ["sleep", "1d"]\n');
    const image = await GenericContainer.fromDockerfile(folder)
      .withBuildArgs({ WORD: "built" })
      .build("tc/built:1", { deleteOnExit: false });
    await withContainer(image, async (started) => {
      assert.equal((await started.exec(["cat", "/word"])).output, "built\n");
    });
    await rm(folder, { recursive: true });
  },
});
