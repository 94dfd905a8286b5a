import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { gather, inChunks, readAll, sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { writeTar } from "#oci/tar/tar-writer.ts";
import { type Output, type RunOptions, TestEngine } from "./engine.ts";

// Files and layers in and out of containers, through the unmodified docker command line, our own, and the API itself.

let engine: TestEngine;
let host: string;

beforeAll(async () => {
  engine = await TestEngine.start();
  host = await mkdtemp(join(tmpdir(), "darse-files-"));
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await rm(host, { recursive: true, force: true });
}, 60_000);

type Client = (args: readonly string[], options?: RunOptions) => Promise<Output>;

const clients: [string, Client][] = [
  ["docker", (args, options) => engine.docker(args, options)],
  ["darse", (args, options) => engine.darse(args, options)],
];

interface RawAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** One request with bytes both ways. */
function send(method: string, path: string, body?: Uint8Array): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const headers = { host: "test", ...(body && { "content-length": body.length }) };
  const outgoing = request({ socketPath: engine.socket, method, path, headers, agent: false }, (incoming) => {
    const parts: Buffer[] = [];
    incoming.on("data", (part: Buffer) => parts.push(part));
    const finish = (): void => resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(parts) });
    // What came before the answer was cut counts too.
    incoming.on("error", finish);
    incoming.on("end", finish);
  });
  outgoing.on("error", reject);
  outgoing.end(body);
  return promise;
}

async function tarOf(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  return await gather(
    writeTar(
      Object.entries(files).map(([path, text]) => [
        sampleEntry({ path, size: Buffer.byteLength(text) }),
        [Buffer.from(text)],
      ]),
    ),
  );
}

async function succeed(output: Promise<Output>): Promise<string> {
  const { code, stdout, stderr } = await output;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

async function create(name: string, ...args: string[]): Promise<void> {
  await succeed(engine.darse(["create", "--name", name, ...args]));
}

async function start(name: string, ...args: string[]): Promise<void> {
  await succeed(engine.darse(["run", "-d", "--name", name, ...args]));
}

for (const [client, run] of clients) {
  test(`${client} cp: a folder into a stopped container and out of it again`, async () => {
    const name = `cp-stopped-${client}`;
    const from = join(host, `${client}-from`);
    await mkdir(join(from, "sub"), { recursive: true });
    await writeFile(join(from, "sub/file"), "through\n", { mode: 0o640 });
    await create(name, "busybox", "cat", "/tmp/in/sub/file");
    await succeed(run(["cp", from, `${name}:/tmp/in`]));
    await succeed(run(["cp", `${name}:/tmp/in`, join(host, `${client}-to`)]));
    expect(await readFile(join(host, `${client}-to/sub/file`), "utf8")).toBe("through\n");
    expect((await stat(join(host, `${client}-to/sub/file`))).mode & 0o777).toBe(0o640);
    expect(await succeed(engine.darse(["start", "-a", name]))).toBe("through\n");
  });

  test(`${client} cp: a volume of a running container, by an absolute link`, async () => {
    const name = `cp-volume-${client}`;
    await start(name, "-v", `cpvol-${client}:/data`, "busybox", "sh", "-c", "ln -s /data /link; sleep 1d");
    await succeed(engine.darse(["exec", name, "sh", "-c", "until [ -L /link ]; do sleep 0.1; done"]));
    await writeFile(join(host, "hello"), "hello\n");
    await succeed(run(["cp", join(host, "hello"), `${name}:/link`]));
    expect(await succeed(engine.darse(["exec", name, "cat", "/data/hello"]))).toBe("hello\n");
    await succeed(run(["cp", `${name}:/link/hello`, join(host, `${client}-back`)]));
    expect(await readFile(join(host, `${client}-back`), "utf8")).toBe("hello\n");
    await succeed(engine.darse(["rm", "-f", name]));
  });

  test(`${client} cp: tar on standard input and output`, async () => {
    const name = `cp-tar-${client}`;
    await create(name, "busybox");
    const tar = await tarOf({ "a/b": "piped" });
    const input = Buffer.from(tar).toString("latin1");
    expect(Buffer.from(input, "utf8").length).toBe(tar.length);
    await succeed(run(["cp", "-", `${name}:/tmp`], { input }));
    const out = await succeed(run(["cp", `${name}:/tmp/a`, "-"]));
    const entries = await readAll(inChunks(Buffer.from(out, "latin1"), 4096));
    expect(entries.map(({ entry }) => entry.path)).toEqual(["a", "a/b"]);
    const refused = await run(["cp", "-", `${name}:/etc/passwd`], { input });
    expect(refused.stderr).toContain(`destination "${name}:/etc/passwd" must be a directory`);
  });

  test(`${client} diff, export and commit of a container`, async () => {
    const name = `commit-${client}`;
    const script = "echo new > /added; rm /etc/group; echo more >> /etc/passwd; sleep 1d";
    await start(name, "-v", "/vol", "busybox", "sh", "-c", script);
    await succeed(
      engine.darse(["exec", name, "sh", "-c", "until tail -n 1 /etc/passwd | grep -q more; do :; done"]),
    );
    expect(await succeed(run(["diff", name]))).toBe(
      "A /added\nC /etc\nD /etc/group\nC /etc/passwd\nA /vol\n",
    );
    const exported = join(host, `${client}.tar`);
    await succeed(run(["export", "-o", exported, name]));
    const files = await readAll(inChunks(await readFile(exported), 65_536));
    expect(files.find(({ entry }) => entry.path === "added")?.content).toEqual(
      new Uint8Array(Buffer.from("new\n")),
    );
    const id = await succeed(
      run([
        "commit",
        "-a",
        "An Author",
        "-m",
        "why",
        "-c",
        'CMD ["cat", "/added"]',
        "-c",
        "ENV A=b",
        name,
        `committed:${client}`,
      ]),
    );
    const [image] = JSON.parse(await succeed(run(["image", "inspect", `committed:${client}`]))) as [
      { Id: string; Author: string; Config: { Env: string[] }; RootFS: { Layers: string[] } },
    ];
    expect(image.Id).toBe(id.trim());
    expect(image.Author).toBe("An Author");
    expect(image.Config.Env).toContain("A=b");
    expect(image.RootFS.Layers.length).toBe(2);
    expect(await succeed(run(["history", "--format", "{{.Comment}}", `committed:${client}`]))).toStartWith(
      "why\n",
    );
    expect(await succeed(run(["run", "--rm", `committed:${client}`]))).toBe("new\n");
    expect((await run(["run", "--rm", `committed:${client}`, "cat", "/etc/group"])).code).toBe(1);
    expect(await succeed(run(["ps", "--filter", `name=${name}`, "--format", "{{.State}}"]))).toBe(
      "running\n",
    );
    await succeed(engine.darse(["rm", "-f", "-v", name]));
  });

  test(`${client}: a container that has changed nothing has no diff, and its commit no new layer`, async () => {
    const name = `same-${client}`;
    await succeed(engine.darse(["run", "--name", name, "busybox", "true"]));
    expect(await succeed(run(["diff", name]))).toBe("");
    const id = (await succeed(run(["commit", name]))).trim();
    const layers = await succeed(run(["image", "inspect", "--format", "{{len .RootFS.Layers}}", id]));
    expect(layers).toBe("1\n");
  });

  const refusals: [fact: string, args: readonly string[], text: string][] = [
    ["a path that is not there", ["cp", "ro:/nope", "/tmp"], "Could not find the file /nope in container ro"],
    ["a container that is not there", ["cp", "nobody:/x", "/tmp"], "No such container: nobody"],
    ["a read-only root", ["cp", "/etc/hostname", "ro:/etc"], "container rootfs is marked read-only"],
    ["a read-only volume", ["cp", "/etc/hostname", "ro:/fixed/"], "mounted volume is marked read-only"],
    ["two containers", ["cp", "ro:/a", "ro:/b"], "copying between containers is not supported"],
    ["no container", ["cp", "/a", "/b"], "must specify at least one container source"],
    ["a folder over a file", ["cp", "/etc", "ro:/etc/passwd"], "cannot copy directory"],
    [
      "a missing output folder",
      ["cp", "ro:/etc/passwd", "/nope/nope/x"],
      'invalid output path: directory "/nope/nope" does not exist',
    ],
    [
      "an instruction that is no change",
      ["commit", "-c", "RUN true", "ro"],
      "RUN is not a valid change command",
    ],
    ["a digest as name", ["commit", "ro", `x@sha256:${"0".repeat(64)}`], "digest"],
  ];
  test(`${client}: what can not be copied is refused in Docker's words`, async () => {
    await create("ro", "--read-only", "-v", "rovol:/fixed:ro", "busybox");
    for (const [fact, args, text] of refusals) {
      const { code, stderr } = await run(args);
      expect({ fact, failed: code !== 0, stderr }).toEqual({
        fact,
        failed: true,
        stderr: expect.stringContaining(text),
      });
    }
    await succeed(engine.darse(["rm", "ro"]));
  });
}

test("every piece of work is an event, with Docker's attributes", async () => {
  await create("evented", "busybox");
  const since = String(Math.floor(Date.now() / 1000) - 1);
  await send("PUT", "/containers/evented/archive?path=/tmp", await tarOf({ f: "x" }));
  await send("GET", "/containers/evented/archive?path=/tmp/f");
  await send("GET", "/containers/evented/export");
  const { body } = await send("POST", "/commit?container=evented&repo=ev&tag=1&comment=note");
  const until = String(Date.now() / 1000);
  const answer = await engine.api(
    "GET",
    `/events?since=${since}&until=${until}&filters={"container":["evented"]}`,
  );
  const events = answer.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } });
  expect(events.map(({ Action }) => Action).slice(-4)).toEqual([
    "extract-to-dir",
    "archive-path",
    "export",
    "commit",
  ]);
  const { Id } = JSON.parse(body.toString()) as { Id: string };
  expect(events.at(-1)?.Actor.Attributes).toMatchObject({
    comment: "note",
    imageID: Id,
    imageRef: "ev:1",
    name: "evented",
  });
});

const compressions: [
  name: string,
  status: number,
  compress: (tar: Uint8Array) => Uint8Array,
  text: string,
][] = [
  ["none", 200, (tar) => tar, ""],
  ["gzip", 200, (tar) => gzipSync(tar), ""],
  ["zstd", 200, (tar) => zstdCompressSync(tar), ""],
  ["xz", 500, () => Buffer.concat([Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]), Buffer.alloc(600)]), "xz"],
  ["bzip2", 500, () => Buffer.concat([Buffer.from("BZh9"), Buffer.alloc(600)]), "bzip2"],
  ["brotli", 400, (tar) => brotliCompressSync(tar), "tar"],
];

test("case 9: helpers and libraries that an image brings are never run, whatever is uploaded", async () => {
  const token = join(host, "token");
  await writeFile(token, "only the host has this");
  const helper = `#!/bin/sh\ncat ${token} > /tmp/leak; echo ran > ${host}/ran; exec /bin/busybox "$0" "$@"\n`;
  const names = [
    "gzip",
    "gunzip",
    "unpigz",
    "pigz",
    "xz",
    "unxz",
    "zstd",
    "unzstd",
    "bzip2",
    "tar",
    "getent",
    "id",
    "ldconfig",
  ];
  const folders = ["usr/bin", "usr/local/bin", "usr/sbin", "sbin"];
  const files = Object.fromEntries(
    folders.flatMap((folder) => names.map((name) => [`${folder}/${name}`, helper])),
  );
  const libraries = ["libnss_files.so.2", "libnss_compat.so.2", "libnss_dns.so.2", "libz.so.1"];
  for (const library of libraries)
    files[`lib/${library}`] = files[`usr/lib/${library}`] = "\x7fELF not really";
  await create("helpers", "-u", "someone", "busybox");
  const setUp = await tarOf({ ...files, "etc/passwd": "someone:x:1234:4321::/:/bin/sh\n" });
  expect((await send("PUT", "/containers/helpers/archive?path=/", setUp)).status).toBe(200);
  for (const [name, status, compress, text] of compressions) {
    const path = "/containers/helpers/archive?path=/tmp&copyUIDGID=1";
    const answer = await send("PUT", path, compress(await tarOf({ [name]: "uploaded" })));
    expect([name, answer.status]).toEqual([name, status]);
    expect(answer.body.toString()).toContain(text);
  }
  const { body } = await send("GET", "/containers/helpers/archive?path=/tmp");
  const entries = await readAll(inChunks(body, 65_536));
  expect(entries.map(({ entry }) => entry.path)).toEqual(["tmp", "tmp/gzip", "tmp/none", "tmp/zstd"]);
  expect(entries[1]?.entry).toMatchObject({ uid: 1234, gid: 4321 });
  expect((await send("GET", "/containers/helpers/export")).body.includes("only the host has this")).toBe(
    false,
  );
  expect(await readdir(host)).not.toContain("ran");
});

test("case 8: a running container that flips a folder and a link to the host reads and writes nothing there", async () => {
  const canary = join(host, "canary");
  await mkdir(canary);
  await writeFile(join(canary, "secret"), "of the host");
  const before = await stat(canary);
  const flip = `mkdir -p /w/real; echo inside > /w/real/secret; while :; do ln -sfn ${canary} /w/d; rm /w/d; mkdir /w/d; echo inside > /w/d/secret; rm -r /w/d; done`;
  await start("racer", "busybox", "sh", "-c", flip);
  const tar = await tarOf({ secret: "evil", planted: "evil", "d/secret": "evil", "d/planted": "evil" });
  const seen = new Set<string>();
  for (let round = 0; round < 200; round++) {
    const [put, get] = await Promise.all([
      send("PUT", `/containers/racer/archive?path=${round % 2 === 0 ? "/w/d" : "/w"}`, tar),
      send("GET", `/containers/racer/archive?path=${round % 2 === 0 ? "/w/d/secret" : "/w/d/"}`),
      send("HEAD", "/containers/racer/archive?path=/w/d/secret"),
    ]);
    expect([200, 400, 404, 500]).toContain(put.status);
    seen.add(get.body.includes("of the host") ? "host" : `status ${get.status}`);
  }
  await succeed(engine.darse(["rm", "-f", "racer"]));
  expect(seen.has("host")).toBe(false);
  expect(await readdir(canary)).toEqual(["secret"]);
  expect(await readFile(join(canary, "secret"), "utf8")).toBe("of the host");
  expect((await stat(canary)).mtimeMs).toBe(before.mtimeMs);
}, 60_000);

test("a container may start, stop and go while it is copied", async () => {
  await create("busy", "busybox", "sleep", "1d");
  await send("PUT", "/containers/busy/archive?path=/", await tarOf({ big: "x".repeat(64 * 1024 * 1024) }));
  const { promise: begun, resolve } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  const path = "/containers/busy/archive?path=/big";
  const outgoing = request(
    { socketPath: engine.socket, path, headers: { host: "test" }, agent: false },
    (incoming) => {
      incoming.once("data", () => {
        incoming.pause();
        resolve();
      });
      incoming.on("error", () => end("cut"));
      incoming.on("aborted", () => end("cut"));
      incoming.on("end", () => end("whole"));
      setTimeout(() => incoming.resume(), 1500);
    },
  );
  outgoing.on("error", () => end("cut"));
  outgoing.end();
  await begun;
  await succeed(engine.darse(["start", "busy"]));
  expect(await succeed(engine.darse(["exec", "busy", "wc", "-c", "/big"]))).toContain(
    String(64 * 1024 * 1024),
  );
  await succeed(engine.darse(["kill", "busy"]));
  await succeed(engine.darse(["rm", "-f", "busy"]));
  expect(await ended).toBe("cut");
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .filter((line) => line.includes(engine.runFolder));
  const running = await succeed(engine.darse(["ps", "-q"]));
  expect(mounts.filter((line) => line.startsWith("overlay")).length).toBe(
    running.split("\n").filter(Boolean).length,
  );
});
