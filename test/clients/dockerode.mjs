import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import tar from "tar-stream";
import { serveFacts } from "./serve-facts.mjs";

const socketPath = process.env.DARSE_SOCKET;
const docker = new Docker({ socketPath });
const BUSYBOX_TAR = join(process.env.DARSE_CACHE ?? "/var/cache/darse", "busybox.tar");

/** A container for the length of `work`. */
async function withContainer(options, work, client = docker) {
  const container = await client.createContainer({ Image: "busybox", ...options });
  try {
    return await work(container);
  } finally {
    await container.remove({ force: true, v: true }).catch(() => undefined);
  }
}

const sleeper = { Cmd: ["sleep", "1d"], HostConfig: { NetworkMode: "none" } };

async function withSleeper(work, options = {}) {
  return await withContainer({ ...sleeper, ...options }, async (container) => {
    await container.start();
    return await work(container);
  });
}

/** What a framed stream carries, by stream. */
async function demuxed(stream) {
  const out = new PassThrough();
  const err = new PassThrough();
  docker.modem.demuxStream(stream, out, err);
  stream.on("end", () => (out.end(), err.end()));
  const [stdout, stderr] = await Promise.all([text(out), text(err)]);
  return { stdout, stderr };
}

async function execIn(container, options, input) {
  const exec = await container.exec({ AttachStdout: true, AttachStderr: true, ...options });
  const stream = await exec.start({ hijack: true, stdin: input !== undefined, Tty: options.Tty ?? false });
  if (input !== undefined) stream.end(input);
  const output = options.Tty ? await text(stream) : await demuxed(stream);
  return { output, info: await exec.inspect() };
}

const refused = (status, message) => (error) => {
  assert.equal(error.statusCode, status, String(error));
  assert.match(error.json.message, message);
  return true;
};

function follow(stream) {
  return new Promise((resolve, reject) =>
    docker.modem.followProgress(stream, (error, lines) => (error ? reject(error) : resolve(lines))),
  );
}

/** A tar of files by their names. */
function packed(files) {
  const pack = tar.pack();
  for (const [name, content] of Object.entries(files)) pack.entry({ name }, content);
  pack.finalize();
  return pack;
}

/** The contents of a tar by the names of its entries. */
async function entriesOf(stream) {
  const entries = {};
  const extract = tar.extract();
  extract.on("entry", ({ name }, body, next) => {
    void text(body).then((content) => {
      entries[name.replace(/^\.\//, "")] = content;
      next();
    }, next);
  });
  stream.pipe(extract);
  await once(extract, "finish");
  return entries;
}

const sorted = (texts) => texts.sort((one, other) => one.localeCompare(other));

const filters = (object) => ({ filters: JSON.stringify(object) });

const facts = {
  async "ping, version and info answer"() {
    assert.equal(String(await docker.ping()), "OK");
    const version = await docker.version();
    assert.match(version.ApiVersion, /^1\.\d+$/);
    assert.equal(version.MinAPIVersion, "1.24");
    const info = await docker.info();
    assert.equal(info.OSType, "linux");
    assert.ok(info.NCPU > 0 && info.MemTotal > 0);
  },

  async "a container is created, started, waited for and removed"() {
    await withContainer({ Cmd: ["sh", "-c", "exit 3"], name: "ode-life" }, async (container) => {
      assert.equal((await container.inspect()).State.Status, "created");
      await container.start();
      assert.deepEqual(await container.wait(), { StatusCode: 3 });
      const { State, Name, Id } = await container.inspect();
      assert.equal(State.Status, "exited");
      assert.equal(State.ExitCode, 3);
      assert.equal(Name, "/ode-life");
      assert.equal(Id, container.id);
      await container.remove();
      await assert.rejects(container.inspect(), refused(404, /No such container/));
    });
  },

  async "starting twice and stopping twice are 304"() {
    await withSleeper(async (container) => {
      await assert.rejects(container.start(), (error) => error.statusCode === 304);
      await container.stop({ t: 0 });
      await assert.rejects(container.stop(), (error) => error.statusCode === 304);
    });
  },

  async "an attach before the start gets every byte, stream by stream"() {
    await withContainer({ Cmd: ["sh", "-c", "echo out; echo err >&2"] }, async (container) => {
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      const output = demuxed(stream);
      await container.start();
      assert.deepEqual(await output, { stdout: "out\n", stderr: "err\n" });
    });
  },

  async "an attach hands standard input in and half-closes"() {
    const options = { Cmd: ["cat"], OpenStdin: true, StdinOnce: true, AttachStdin: true, AttachStdout: true };
    await withContainer(options, async (container) => {
      const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
      const output = demuxed(stream);
      await container.start();
      stream.write("one\n");
      stream.end("two\n");
      assert.deepEqual(await output, { stdout: "one\ntwo\n", stderr: "" });
      assert.deepEqual(await container.wait(), { StatusCode: 0 });
    });
  },

  async "a terminal is raw, has a size and carries both ways"() {
    const options = { Cmd: ["sh", "-c", "read x; stty size; echo got $x"], Tty: true, OpenStdin: true };
    await withContainer(options, async (container) => {
      const stream = await container.attach({ stream: true, hijack: true, stdin: true, stdout: true });
      const output = text(stream);
      await container.start();
      await container.resize({ h: 31, w: 97 });
      stream.write("word\n");
      assert.equal(await output, "word\r\n31 97\r\ngot word\r\n");
    });
  },

  async "attach with logs replays what was said"() {
    await withContainer({ Cmd: ["echo", "said"] }, async (container) => {
      await container.start();
      await container.wait();
      const stream = await container.attach({ logs: true, stdout: true, stderr: true });
      assert.deepEqual(await demuxed(stream), { stdout: "said\n", stderr: "" });
    });
  },

  async "docker.run() runs to the end"() {
    const output = new PassThrough();
    const said = text(output);
    const command = ["sh", "-c", "echo hello; exit 5"];
    const [{ StatusCode }, container] = await docker.run("busybox", command, output, {
      HostConfig: { AutoRemove: false },
    });
    output.end();
    assert.equal(StatusCode, 5);
    assert.match(await said, /hello/);
    await container.remove();
  },

  async "logs by tail, time, stream and with timestamps"() {
    const Cmd = ["sh", "-c", "for i in 1 2 3; do echo line $i; done; echo bad >&2"];
    await withContainer({ Cmd }, async (container) => {
      await container.start();
      await container.wait();
      const logs = async (options) => await demuxed(Readable.from([await container.logs(options)]));
      assert.deepEqual(await logs({ stdout: true, stderr: true }), {
        stdout: "line 1\nline 2\nline 3\n",
        stderr: "bad\n",
      });
      assert.equal((await logs({ stdout: true, tail: 1 })).stdout, "line 3\n");
      const stamped = await logs({ stdout: true, timestamps: true });
      assert.match(stamped.stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z line 1\n/);
      assert.equal((await logs({ stdout: true, since: Math.floor(Date.now() / 1000) + 60 })).stdout, "");
      assert.equal((await logs({ stdout: true, until: 1 })).stdout, "");
      await assert.rejects(container.logs({}), refused(400, /must choose at least one stream/));
    });
  },

  async "logs with details begin with the labels that the log options name"() {
    const HostConfig = { LogConfig: { Type: "json-file", Config: { labels: "team", env: "STAGE" } } };
    const options = { Cmd: ["echo", "said"], Labels: { team: "a b", other: "no" }, Env: ["STAGE=test"], HostConfig };
    await withContainer(options, async (container) => {
      await container.start();
      await container.wait();
      const log = await container.logs({ stdout: true, details: true });
      const { stdout } = await demuxed(Readable.from([log]));
      assert.equal(stdout, "STAGE=test,team=a+b said\n");
    });
  },

  async "following logs ends with the container"() {
    await withContainer({ Cmd: ["sh", "-c", "for i in $(seq 50); do echo $i; done"] }, async (container) => {
      await container.start();
      const stream = await container.logs({ stdout: true, stderr: true, follow: true });
      const { stdout } = await demuxed(stream);
      assert.equal(stdout.trim().split("\n").length, 50);
    });
  },

  async "exec has its output, its streams and its exit code"() {
    await withSleeper(async (container) => {
      const { output, info } = await execIn(container, { Cmd: ["sh", "-c", "echo o; echo e >&2; exit 4"] });
      assert.deepEqual(output, { stdout: "o\n", stderr: "e\n" });
      assert.equal(info.ExitCode, 4);
      assert.equal(info.Running, false);
      assert.equal(info.ContainerID, container.id);
    });
  },

  async "exec hands standard input in"() {
    await withSleeper(async (container) => {
      const { output } = await execIn(container, { Cmd: ["cat"], AttachStdin: true }, "through\n");
      assert.equal(output.stdout, "through\n");
    });
  },

  async "exec with variables, directory, user and terminal"() {
    await withSleeper(async (container) => {
      const script = "echo $A $(pwd) $(id -u); test -t 1 && echo tty";
      const options = { Cmd: ["sh", "-c", script], Env: ["A=b"], WorkingDir: "/tmp", User: "nobody", Tty: true };
      const { output } = await execIn(container, options);
      assert.equal(output, "b /tmp 65534\r\ntty\r\n");
    });
  },

  async "exec of what is not there ends with 127"() {
    await withSleeper(async (container) => {
      const { output, info } = await execIn(container, { Cmd: ["nosuchthing"] });
      assert.equal(info.ExitCode, 127);
      assert.match(JSON.stringify(output), /executable file not found/);
    });
  },

  async "exec detached runs on its own, once"() {
    await withSleeper(async (container) => {
      const exec = await container.exec({ Cmd: ["sh", "-c", "echo done > /tmp/mark"] });
      await exec.start({ Detach: true });
      let { Running } = await exec.inspect();
      for (let left = 200; Running && left > 0; left--) ({ Running } = await exec.inspect());
      const { output } = await execIn(container, { Cmd: ["cat", "/tmp/mark"] });
      assert.equal(output.stdout, "done\n");
      await assert.rejects(exec.start({ Detach: true }), (error) => error.statusCode === 409);
    });
  },

  async "kill, pause, unpause, rename and restart"() {
    await withSleeper(async (container) => {
      await container.pause();
      assert.equal((await container.inspect()).State.Paused, true);
      await assert.rejects(container.pause(), refused(409, /already paused/));
      await container.unpause();
      await container.rename({ name: "ode-renamed" });
      assert.equal((await docker.getContainer("ode-renamed").inspect()).Id, container.id);
      const before = (await container.inspect()).State.Pid;
      await container.restart({ t: 0 });
      assert.notEqual((await container.inspect()).State.Pid, before);
      await container.kill({ signal: "SIGKILL" });
      assert.deepEqual(await container.wait(), { StatusCode: 137 });
      await assert.rejects(container.kill(), refused(409, /is not running/));
    });
  },

  async "stop sends the stop signal, and kills after its time"() {
    const Cmd = ["sh", "-c", "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done"];
    await withContainer({ Cmd, StopSignal: "SIGUSR1" }, async (container) => {
      await container.start();
      const log = await container.logs({ stdout: true, follow: true });
      await new Promise((resolve) => log.once("data", resolve));
      log.destroy();
      await container.stop({ t: 5 });
      assert.equal((await container.inspect()).State.ExitCode, 9);
    });
  },

  async "wait for the next exit and for the removal"() {
    const options = { Cmd: ["sh", "-c", "exit 6"], HostConfig: { AutoRemove: true } };
    const container = await docker.createContainer({ Image: "busybox", ...options });
    const next = container.wait({ condition: "next-exit" });
    const gone = container.wait({ condition: "removed" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await container.start();
    assert.deepEqual([await next, await gone], [{ StatusCode: 6 }, { StatusCode: 6 }]);
    await assert.rejects(container.inspect(), refused(404, /No such container/));
  },

  async "lists filter by label, name, status, ancestor and id"() {
    await withSleeper(
      async (container) => {
        const ids = async (wanted, all = false) =>
          (await docker.listContainers({ all, ...filters(wanted) })).map(({ Id }) => Id);
        assert.deepEqual(await ids({ label: ["ode=yes"] }), [container.id]);
        assert.deepEqual(await ids({ label: ["ode=no"] }), []);
        assert.deepEqual(await ids({ name: ["ode-list"] }), [container.id]);
        assert.deepEqual(await ids({ name: ["ode-list"], status: ["exited"] }), []);
        assert.deepEqual(await ids({ id: [container.id.slice(0, 12)], ancestor: ["busybox"] }), [container.id]);
        // The old form of filters.
        const old = await docker.listContainers({ filters: JSON.stringify({ label: { "ode=yes": true } }) });
        assert.equal(old.length, 1);
        const [summary] = old;
        assert.deepEqual(summary.Names, ["/ode-list"]);
        assert.equal(summary.State, "running");
        assert.match(summary.Status, /^Up /);
        await assert.rejects(docker.listContainers(filters({ nope: ["x"] })), refused(400, /invalid filter 'nope'/));
      },
      { name: "ode-list", Labels: { ode: "yes" } },
    );
  },

  async "prune takes what has stopped and matches"() {
    const made = [];
    for (const tier of ["one", "two"]) {
      const container = await docker.createContainer({ Image: "busybox", Labels: { prune: tier } });
      made.push(container.id);
    }
    const first = await docker.pruneContainers(filters({ label: ["prune=one"] }));
    assert.deepEqual(first.ContainersDeleted, [made[0]]);
    assert.equal(typeof first.SpaceReclaimed, "number");
    const second = await docker.pruneContainers(filters({ label: ["prune"] }));
    assert.deepEqual(second.ContainersDeleted, [made[1]]);
  },

  async "events tell a container's life as it goes, and again afterwards"() {
    const since = Math.floor(Date.now() / 1000) - 1;
    const live = await docker.getEvents(filters({ type: ["container"], label: ["watched"] }));
    const actions = [];
    const destroyed = new Promise((resolve) =>
      live.on("data", (chunk) => {
        for (const line of String(chunk).trim().split("\n")) actions.push(JSON.parse(line).Action);
        if (actions.includes("destroy")) resolve();
      }),
    );
    const Labels = { watched: "1" };
    const container = await docker.createContainer({ Image: "busybox", Cmd: ["true"], Labels, name: "ode-events" });
    await container.start();
    await container.wait();
    await container.remove();
    await destroyed;
    live.destroy();
    assert.deepEqual(actions, ["create", "start", "die", "destroy"]);
    const until = Math.floor(Date.now() / 1000) + 1;
    const past = await docker.getEvents({ since, until, ...filters({ container: ["ode-events"] }) });
    const told = (await text(past)).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(told.map(({ Action }) => Action), ["create", "start", "die", "destroy"]);
    assert.equal(told[0].Actor.Attributes.name, "ode-events");
    assert.equal(told[2].Actor.Attributes.exitCode, "0");
  },

  async "a published port is where inspect says"() {
    const options = {
      Cmd: ["sh", "-c", "echo page > index.html; exec httpd -f -p 80"],
      WorkingDir: "/www",
      ExposedPorts: { "80/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "0" }] } },
    };
    await withContainer(options, async (container) => {
      await container.start();
      const { Ports } = (await container.inspect()).NetworkSettings;
      const [{ HostPort, HostIp }] = Ports["80/tcp"];
      assert.equal(HostIp, "127.0.0.1");
      let page;
      for (let left = 100; left > 0 && page === undefined; left--) {
        page = await fetch(`http://127.0.0.1:${HostPort}/`).then((answer) => answer.text(), () => undefined);
        if (page === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      assert.equal(page, "page\n");
    });
  },

  async "volumes are created, used, held and removed"() {
    const volume = await docker.createVolume({ Name: "ode-data", Labels: { for: "ode" } });
    const { Volumes } = await docker.listVolumes(filters({ label: ["for=ode"] }));
    assert.deepEqual(Volumes.map(({ Name }) => Name), ["ode-data"]);
    const HostConfig = { Binds: ["ode-data:/data"] };
    await withContainer({ Cmd: ["sh", "-c", "echo kept > /data/f"], HostConfig }, async (container) => {
      await container.start();
      await container.wait();
      const handle = docker.getVolume("ode-data");
      await assert.rejects(handle.remove(), refused(409, /volume is in use - \[[0-9a-f]{64}\]/));
      const [mount] = (await container.inspect()).Mounts;
      assert.deepEqual([mount.Type, mount.Name, mount.Destination], ["volume", "ode-data", "/data"]);
      assert.equal((await handle.inspect()).Driver, "local");
    });
    await docker.getVolume(volume.Name ?? "ode-data").remove();
    await assert.rejects(docker.getVolume("ode-data").inspect(), refused(404, /no such volume/));
    const anonymous = await docker.createVolume({});
    const { VolumesDeleted } = await docker.pruneVolumes();
    assert.ok(VolumesDeleted.includes(anonymous.Name ?? anonymous.name));
  },

  async "the networks of every engine are listed and inspected"() {
    const names = (await docker.listNetworks()).map(({ Name }) => Name);
    assert.deepEqual(sorted(names), ["bridge", "host", "none"]);
    const options = { Cmd: ["sleep", "1d"], name: "ode-net" };
    await withContainer(options, async (container) => {
      await container.start();
      const { Containers, IPAM } = await docker.getNetwork("bridge").inspect();
      assert.equal(Containers[container.id].Name, "ode-net");
      assert.ok(IPAM.Config[0].Subnet.includes("/"));
      const { IPAddress } = (await container.inspect()).NetworkSettings.Networks.bridge;
      assert.equal(Containers[container.id].IPv4Address.split("/")[0], IPAddress);
    });
    const own = await docker.createNetwork({ Name: "own", Internal: true, Labels: { by: "dockerode" } });
    await withContainer({ ...options, HostConfig: { NetworkMode: "own" } }, async (container) => {
      await container.start();
      await assert.rejects(own.remove(), refused(403, /has active endpoints/));
      await own.disconnect({ Container: container.id });
      await own.connect({ Container: container.id, EndpointConfig: { Aliases: ["web"] } });
      const { Networks } = (await container.inspect()).NetworkSettings;
      assert.deepEqual(Networks.own.Aliases, ["web"]);
    });
    await own.remove();
    await assert.rejects(docker.getNetwork("bridge").remove(), refused(403, /pre-defined network/));
  },

  async "an image is imported, tagged, shown, saved, loaded and removed"() {
    await follow(await docker.importImage(createReadStream(BUSYBOX_TAR), { repo: "ode/image", tag: "1" }));
    const image = docker.getImage("ode/image:1");
    const { Id } = await image.inspect();
    await image.tag({ repo: "ode/other", tag: "2" });
    const listed = await docker.listImages(filters({ reference: ["ode/*"] }));
    assert.deepEqual(sorted(listed.flatMap(({ RepoTags }) => RepoTags)), ["ode/image:1", "ode/other:2"]);
    assert.ok((await image.history()).length > 0);
    const saved = await buffer(await docker.getImage("ode/other:2").get());
    await docker.getImage("ode/other:2").remove();
    await follow(await docker.loadImage(Readable.from([saved])));
    assert.equal((await docker.getImage("ode/other:2").inspect()).Id, Id);
    for (const name of ["ode/other:2", "ode/image:1"]) await docker.getImage(name).remove();
    await assert.rejects(image.inspect(), refused(404, /No such image: ode\/image:1/));
  },

  async "an image is built from a tar, and a failing build says so"() {
    const context = (dockerfile) => packed({ Dockerfile: dockerfile });
    const lines = await follow(
      await docker.buildImage(context("FROM busybox\nRUN echo built > /built\nCMD [\"cat\", \"/built\"]\n"), {
        t: "ode-built",
      }),
    );
    assert.match(lines.map(({ stream }) => stream ?? "").join(""), /Successfully built [0-9a-f]{12}/);
    await withContainer({ Image: "ode-built", Cmd: undefined }, async (container) => {
      await container.start();
      await container.wait();
      const { stdout } = await demuxed(Readable.from([await container.logs({ stdout: true })]));
      assert.equal(stdout, "built\n");
    });
    await docker.getImage("ode-built").remove();
    const failed = await follow(await docker.buildImage(context("FROM busybox\nRUN exit 7\n"), {}));
    assert.equal(failed.at(-1).error, "The command '/bin/sh -c exit 7' returned a non-zero code: 7");
  },

  async "refusals have Docker's status and text"() {
    const nothing = docker.getContainer("nothing");
    await assert.rejects(nothing.start(), refused(404, /^No such container: nothing$/));
    await assert.rejects(nothing.remove(), refused(404, /^No such container: nothing$/));
    const create = (options) => docker.createContainer({ Image: "busybox", ...options });
    await assert.rejects(create({ Image: "nothing" }), refused(404, /^No such image: nothing:latest$/));
    await assert.rejects(create({ name: "a/b" }), refused(400, /Invalid container name \(a\/b\)/));
    await assert.rejects(create({ HostConfig: { Memory: 1 } }), refused(400, /Minimum memory limit/));
    await withSleeper(async (container) => {
      const { Name } = await container.inspect();
      await assert.rejects(create({ name: Name }), refused(409, /is already in use by container/));
      await assert.rejects(container.remove(), refused(409, /container is running/));
      await assert.rejects(container.resize({ h: "x", w: 1 }), refused(400, /./));
    });
  },

  async "an archive is put in, described and taken out again"() {
    await withSleeper(async (container) => {
      const pack = packed({ "from-client.txt": "put in\n", "folder/below": "deep\n" });
      await container.putArchive(pack, { path: "/tmp" });
      assert.equal((await execIn(container, { Cmd: ["cat", "/tmp/from-client.txt"] })).output.stdout, "put in\n");
      const { headers } = await container.infoArchive({ path: "/tmp/from-client.txt" });
      const stat = JSON.parse(Buffer.from(headers["x-docker-container-path-stat"], "base64"));
      assert.deepEqual([stat.name, stat.size], ["from-client.txt", 7]);
      assert.deepEqual(await entriesOf(await container.getArchive({ path: "/tmp/folder" })), {
        "folder/": "",
        "folder/below": "deep\n",
      });
      await assert.rejects(container.getArchive({ path: "/nothing" }), (error) => error.statusCode === 404);
      await assert.rejects(container.putArchive(packed({ a: "" }), { path: "/etc/passwd" }), (error) => error.statusCode === 400);
    });
  },

  async "changes, export and commit tell what a container has done to its root"() {
    const options = { Cmd: ["sh", "-c", "echo new > /made; rm /etc/group"] };
    await withContainer(options, async (container) => {
      await container.start();
      await container.wait();
      const changes = new Map((await container.changes()).map(({ Path, Kind }) => [Path, Kind]));
      assert.deepEqual([changes.get("/made"), changes.get("/etc"), changes.get("/etc/group")], [1, 0, 2]);
      const root = await entriesOf(await container.export());
      assert.equal(root["made"], "new\n");
      assert.equal(root["etc/group"], undefined);
      const { Id } = await container.commit({ repo: "ode-committed", comment: "why", changes: 'CMD ["cat", "/made"]' });
      assert.match(Id, /^sha256:[0-9a-f]{64}$/);
      await withContainer({ Image: "ode-committed", Cmd: undefined }, async (next) => {
        await next.start();
        await next.wait();
        const { stdout } = await demuxed(Readable.from([await next.logs({ stdout: true })]));
        assert.equal(stdout, "new\n");
      });
      await docker.getImage("ode-committed").remove();
    });
  },

  async "top and stats, once and as a stream"() {
    await withSleeper(async (container) => {
      const { Titles, Processes } = await container.top();
      assert.ok(Titles.includes("PID") && Processes.length === 1);
      assert.match(Processes[0].join(" "), /sleep 1d/);
      const sample = await container.stats({ stream: false, "one-shot": true });
      assert.equal(sample.id, container.id);
      assert.ok(sample.memory_stats.usage > 0 && sample.cpu_stats.cpu_usage.total_usage > 0);
      const stream = await container.stats({ stream: true });
      const [first] = await once(stream, "data");
      stream.destroy();
      assert.equal(JSON.parse(first).name, (await container.inspect()).Name);
    });
  },

  async "limits and the restart policy are updated while it runs"() {
    await withSleeper(async (container) => {
      await container.update({ Memory: 64 << 20, MemorySwap: -1, RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 } });
      const { HostConfig } = await container.inspect();
      assert.equal(HostConfig.Memory, 64 << 20);
      assert.deepEqual(HostConfig.RestartPolicy, { Name: "on-failure", MaximumRetryCount: 2 });
      const stats = await container.stats({ stream: false, "one-shot": true });
      assert.equal(stats.memory_stats.limit, 64 << 20);
    });
  },

  async "a health check makes it healthy, and says so in an event"() {
    const Healthcheck = { Test: ["CMD", "true"], Interval: 100e6, Retries: 1 };
    await withSleeper(
      async (container) => {
        let health;
        for (let left = 200; left > 0 && health?.Status !== "healthy"; left--) {
          health = (await container.inspect()).State.Health;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        assert.equal(health.Status, "healthy");
        assert.equal(health.Log.at(-1).ExitCode, 0);
        const now = Math.floor(Date.now() / 1000) + 1;
        const past = await docker.getEvents({
          since: now - 60,
          until: now,
          ...filters({ container: [container.id], event: ["health_status"] }),
        });
        assert.match(await text(past), /health_status: healthy/);
      },
      { Healthcheck },
    );
  },

  async "a client that goes in mid-follow harms nobody"() {
    await withSleeper(async (container) => {
      const stream = await container.logs({ stdout: true, follow: true });
      stream.destroy();
      const attached = await container.attach({ stream: true, stdout: true });
      attached.destroy();
      await once(attached, "close");
      assert.equal((await container.inspect()).State.Running, true);
    });
  },
};

for (const version of ["v1.24", "v1.41", "v1.55"]) {
  facts[`a client of API ${version} takes a container through its life`] = async () => {
    const client = new Docker({ socketPath, version });
    await withContainer(
      { Cmd: ["sh", "-c", "echo said; exit 4"] },
      async (container) => {
        const stream = await container.attach({ stream: true, stdout: true, stderr: true });
        const output = demuxed(stream);
        await container.start();
        assert.equal((await container.wait()).StatusCode, 4);
        assert.equal((await output).stdout, "said\n");
        const { State, NetworkSettings } = await container.inspect();
        assert.equal(State.Status, "exited");
        if (version !== "v1.55") assert.equal(NetworkSettings.IPAddress, "");
        assert.equal((await client.listContainers({ all: true })).some(({ Id }) => Id === container.id), true);
      },
      client,
    );
  };
}

await serveFacts(facts);
