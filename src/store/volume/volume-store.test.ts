import { expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { EngineError } from "#base/errors.ts";
import { newContainerId } from "#base/ids.ts";
import { silentLogger } from "#base/log.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { needs } from "../../../test/needs.ts";
import { failureOf, temporaryFolder } from "../_fixtures.ts";
import { type Database, IN_MEMORY, openDatabase } from "../metadata/database.ts";
import { ANONYMOUS_LABEL } from "./volume.ts";
import { VolumeStore } from "./volume-store.ts";

const kernel = openKernel();
const root = needs("root");

interface Opened extends AsyncDisposable {
  readonly volumes: VolumeStore;
  readonly folder: ReturnType<typeof temporaryFolder>;
  reopen(): VolumeStore;
}

function open(): Opened {
  const folder = temporaryFolder();
  const database: Database = openDatabase(IN_MEMORY);
  const reopen = (): VolumeStore =>
    VolumeStore.open({
      root: folder.at("volumes"),
      records: database.documents("volumes"),
      kernel,
      log: silentLogger,
      clock: () => 7,
    });
  const volumes = reopen();
  return {
    volumes,
    folder,
    reopen,
    [Symbol.asyncDispose]: async () => {
      await volumes[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}

test("a volume has its folder, and is found by the next engine", async () => {
  await using it = open();
  const volume = await it.volumes.create({ name: "web", labels: { a: "b" } });
  expect(volume).toEqual({ name: "web", driver: "local", labels: { a: "b" }, options: {}, createdAt: 7 });
  expect(it.volumes.path("web")).toBe(it.folder.at("volumes", "web", "_data"));
  expect(statSync(it.volumes.path("web")).mode & 0o777).toBe(0o755);
  expect(it.reopen().get("web")).toEqual(volume);
});

test("a volume without name has one of 64 hex characters, and Docker's label", async () => {
  await using it = open();
  const origin = { container: newContainerId(), containerName: "db", image: "mysql", path: "/data" };
  const volume = await it.volumes.create({ origin });
  expect(volume.name).toMatch(/^[0-9a-f]{64}$/);
  expect(volume.labels).toEqual({ [ANONYMOUS_LABEL]: "" });
  expect(it.reopen().get(volume.name).origin).toEqual(origin);
});

test("creating a volume again returns the one that is there", async () => {
  await using it = open();
  const first = await it.volumes.create({ name: "web", labels: { a: "b" } });
  expect(await it.volumes.create({ name: "web" })).toEqual(first);
});

const refused: [string, Parameters<VolumeStore["create"]>[0], RegExp][] = [
  ["a path", { name: "../etc" }, /includes invalid characters for a local volume name/],
  ["the folder of removed ones", { name: ".trash" }, /includes invalid characters/],
  ["an empty name", { name: "" }, /includes invalid characters/],
  ["a name of one letter", { name: "a" }, /at least two alphanumeric characters/],
  ["an endless name", { name: "a".repeat(300) }, /includes invalid characters/],
  ["another driver", { name: "web", driver: "nfs" }, /plugin "nfs" not found/],
  ["half of the options", { name: "web", options: { type: "tmpfs" } }, /missing required option: "device"/],
];
for (const [what, request, message] of refused) {
  test(`${what} is refused and makes nothing`, async () => {
    await using it = open();
    expect((await failureOf(it.volumes.create(request))).message).toMatch(message);
    expect(readdirSync(it.folder.at("volumes"))).toEqual([".trash"]);
  });
}

test("a missing volume is named in Docker's words", async () => {
  await using it = open();
  const error = await failureOf(() => it.volumes.get("web"));
  expect(EngineError.is(error, "not-found")).toBe(true);
  expect(error.message).toBe("get web: no such volume");
  expect((await failureOf(it.volumes.remove("web"))).message).toBe("get web: no such volume");
});

test("a removed volume is out of sight at once, and its name is free", async () => {
  await using it = open();
  await it.volumes.create({ name: "web" });
  writeFileSync(`${it.volumes.path("web")}/file`, "x");
  await it.volumes.remove("web");
  expect(it.volumes.list()).toEqual([]);
  await it.volumes.create({ name: "web" });
  expect(readdirSync(it.volumes.path("web"))).toEqual([]);
});

test("recover() takes up data without record, and drops what was never finished", async () => {
  await using it = open();
  await it.volumes.create({ name: "known" });
  rmSync(it.folder.at("volumes", "known"), { recursive: true });
  mkdirSync(it.folder.at("volumes", "data", "_data", "inner"), { recursive: true });
  mkdirSync(it.folder.at("volumes", "unfinished"));
  await it.volumes.recover();
  expect(it.volumes.list().map(({ name }) => name)).toEqual(["data", "known"]);
  expect(existsSync(it.volumes.path("known"))).toBe(true);
  expect(existsSync(it.folder.at("volumes", "unfinished"))).toBe(false);
});

root("an empty volume takes over the directory of the image, attributes and all", async () => {
  await using it = open();
  const image = it.folder.at("image");
  mkdirSync(`${image}/srv/data/sub`, { recursive: true });
  writeFileSync(`${image}/srv/data/file`, "hello");
  chownSync(`${image}/srv/data/file`, 5, 6);
  chmodSync(`${image}/srv/data/file`, 0o4750);
  linkSync(`${image}/srv/data/file`, `${image}/srv/data/sub/hard`);
  symlinkSync("/etc/passwd", `${image}/srv/data/soft`);
  symlinkSync("/srv", `${image}/link`);
  kernel.setXattr(`${image}/srv/data/file`, "user.note", Buffer.from("n"));
  chownSync(`${image}/srv/data`, 7, 8);
  chmodSync(`${image}/srv/data`, 0o1700);
  lutimesSync(`${image}/srv/data`, 1000, 1000);
  await it.volumes.create({ name: "web" });
  await it.volumes.populate("web", { root: image, pathInRoot: "/link/data" });
  const data = it.volumes.path("web");
  const { uid, gid, mode, mtimeMs } = statSync(data);
  expect([uid, gid, mode & 0o7777, mtimeMs]).toEqual([7, 8, 0o1700, 1_000_000]);
  const file = statSync(`${data}/file`);
  expect([file.uid, file.gid, file.mode & 0o7777, file.nlink]).toEqual([5, 6, 0o4750, 2]);
  expect(readFileSync(`${data}/sub/hard`, "utf8")).toBe("hello");
  expect(readlinkSync(`${data}/soft`)).toBe("/etc/passwd");
  expect(kernel.getXattr(`${data}/file`, "user.note")).toEqual(new TextEncoder().encode("n"));
});

root("a directory of the image that is a link to the host's is read inside the image", async () => {
  await using it = open();
  const image = it.folder.at("image");
  mkdirSync(image);
  mkdirSync(it.folder.at("host"));
  writeFileSync(it.folder.at("host", "secret"), "x");
  symlinkSync(it.folder.at("host"), `${image}/data`);
  symlinkSync("../../../../../..", `${image}/up`);
  await it.volumes.create({ name: "web" });
  await it.volumes.populate("web", { root: image, pathInRoot: "data" });
  await it.volumes.populate("web", { root: image, pathInRoot: `up${it.folder.at("host")}` });
  expect(readdirSync(it.volumes.path("web"))).toEqual([]);
});

root("a volume that holds something, and a path that is a file, are left alone", async () => {
  await using it = open();
  const image = it.folder.at("image");
  mkdirSync(`${image}/data`, { recursive: true });
  writeFileSync(`${image}/data/new`, "");
  for (const name of ["full", "empty"]) await it.volumes.create({ name });
  writeFileSync(`${it.volumes.path("full")}/old`, "");
  await it.volumes.populate("full", { root: image, pathInRoot: "data" });
  await it.volumes.populate("empty", { root: image, pathInRoot: "data/new" });
  expect(readdirSync(it.volumes.path("full"))).toEqual(["old"]);
  expect(readdirSync(it.volumes.path("empty"))).toEqual([]);
});
