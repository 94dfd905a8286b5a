import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { EngineError, isErrno } from "#base/errors.ts";
import { openRoot } from "#linux/in-root.ts";
import { type Child, spawn } from "#linux/process.ts";
import { needs } from "../../../test/needs.ts";
import { inChunks, sampleEntry } from "#oci/tar/tar-fixtures.ts";
import { NO_SIGNAL, temporaryFolder } from "../_fixtures.ts";
import { evilCorpus } from "../layer/_evil-corpus.ts";
import { tarOf } from "../layer/_layer-bench.ts";
import { walkTree } from "../layer/tree-entries.ts";
import { extractTar } from "./extract.ts";
import { FileArchiver } from "./file-archiver.ts";
import { packPath } from "./pack.ts";
import { parsePath, statPath } from "./path-in-root.ts";

const root = needs("root");
/** Each is one copy into the container and one out of it. */
const ROUNDS = 5_000;
const RACER = join(import.meta.dirname, "../../linux/testdata/racer.ts");

/** `<folder>/a/b/root` is the container's root, `<folder>/host` what it must not reach. */
function makeWorld(folder: string): { host: string; container: string } {
  const host = join(folder, "host");
  const container = join(folder, "a/b/root");
  mkdirSync(join(host, "folder"), { recursive: true });
  writeFileSync(join(host, "file"), "of the host");
  writeFileSync(join(host, "folder/inner"), "of the host");
  mkdirSync(container, { recursive: true });
  return { host, container };
}

function fingerprint(path: string): string {
  using tree = openRoot(path);
  const lines: string[] = [];
  for (const { path: at, stat } of walkTree(tree)) {
    const content = stat.type === "file" ? readFileSync(join(path, at), "utf8") : "";
    const { type, mode, uid, gid, mtimeNs, links } = stat;
    lines.push(
      [at, type, mode, uid, gid, mtimeNs, links, content, tree.listXattrs(at || ".").join()].join(" "),
    );
  }
  return lines.join("\n");
}

async function race(one: string, other: string): Promise<Child> {
  const racer = spawn([process.execPath, RACER, one, other], { stdout: "pipe" });
  await racer.stdout?.getReader().read();
  return racer;
}

/** What a raced copy may end in. */
function allowingLoss(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (
      !EngineError.is(error, "invalid") &&
      !isErrno(error, "ENOENT", "ENOTDIR", "ELOOP", "EAGAIN", "EEXIST")
    )
      throw error;
  }
}

root(
  "case 1: no archive of the corpus that is copied into a container changes anything outside its root",
  async () => {
    using folder = temporaryFolder();
    const { host, container } = makeWorld(folder.path);
    const before = fingerprint(host);
    const outcomes = new Set<string>();
    for (const { name, tar } of await evilCorpus(host)) {
      const into = `into-${outcomes.size}-${name.length}`;
      mkdirSync(join(container, into), { recursive: true });
      using tree = openRoot(container);
      try {
        extractTar(tree, [tar], { directory: into, refusesTypeChange: false, describesTop: false });
        outcomes.add("contained");
      } catch (error) {
        if (!EngineError.is(error, "invalid") && !EngineError.is(error, "unsupported")) throw error;
        outcomes.add("refused");
      }
      expect([name, fingerprint(host)]).toEqual([name, before]);
    }
    expect([...outcomes].sort()).toEqual(["contained", "refused"]);
    expect(readdirSync(folder.path).sort()).toEqual(["a", "host"]);
  },
  60_000,
);

root(
  `cases 5 and 8: a directory flipped to a link to the host during ${2 * ROUNDS} copies lets none out, either way`,
  async () => {
    using folder = temporaryFolder();
    const { host, container } = makeWorld(folder.path);
    mkdirSync(join(container, "work/dir/folder"), { recursive: true });
    writeFileSync(join(container, "work/dir/file"), "of the container");
    symlinkSync(host, join(container, "work/link"));
    const before = fingerprint(host);
    const attack = await tarOf(
      [
        sampleEntry({
          path: "dir/file",
          size: 4,
          mode: 0o4777,
          uid: 4242,
          xattrs: new Map([["user.x", Buffer.from("x")]]),
        }),
        [Buffer.from("evil")],
      ],
      [sampleEntry({ path: "dir/folder", type: "directory", mode: 0o6777, uid: 4242 })],
      [sampleEntry({ path: "dir/folder/inner", size: 4, mode: 0o4777, uid: 4242 }), [Buffer.from("evil")]],
      [sampleEntry({ path: "dir/hard", type: "hardlink", linkName: "dir/file" })],
      [sampleEntry({ path: "dir/null", type: "character", device: { major: 1, minor: 3 } })],
    );
    const out = folder.at("out.tar");
    const racer = await race(join(container, "work/dir"), join(container, "work/link"));
    const seen = new Set<string>();
    try {
      for (let round = 0; round < ROUNDS; round++) {
        using tree = openRoot(container);
        allowingLoss(() =>
          extractTar(tree, [attack], {
            directory: "work",
            refusesTypeChange: round % 2 === 0,
            describesTop: false,
          }),
        );
        const fd = openSync(out, "w");
        try {
          allowingLoss(() =>
            packPath(tree, parsePath(round % 2 === 0 ? "/work/dir/file" : "/work/dir/"), fd),
          );
          allowingLoss(() => void statPath(tree, parsePath("/work/dir/file")));
        } finally {
          closeSync(fd);
        }
        const text = readFileSync(out, "latin1");
        seen.add(
          text.includes("of the host")
            ? "host"
            : text.includes("evil") || text.includes("of the container")
              ? "container"
              : "nothing",
        );
      }
    } finally {
      racer.kill(9);
      await racer.exited;
    }
    expect(seen.has("host")).toBe(false);
    expect(seen.has("container")).toBe(true);
    expect(fingerprint(host)).toBe(before);
  },
  120_000,
);

root(
  "case 10: a mount target swapped for a link to the host while a copy is prepared puts no mount and no file there",
  async () => {
    using folder = temporaryFolder();
    const { host, container } = makeWorld(folder.path);
    const volume = folder.at("volume");
    mkdirSync(volume);
    mkdirSync(join(container, "data"));
    symlinkSync(host, join(container, "link"));
    const before = fingerprint(host);
    const archiver = new FileArchiver();
    const mounts = [{ source: volume, destination: "/data", isReadOnly: false, isRecursive: true }];
    const view = { root: container, isRootReadOnly: false, mounts };
    const racer = await race(join(container, "data"), join(container, "link"));
    try {
      for (let round = 0; round < 25; round++) {
        const tar = await tarOf([sampleEntry({ path: `f${round}`, size: 4 }), [Buffer.from("evil")]]);
        const copies = [
          archiver.extract({ view, path: "/data", refusesTypeChange: true }, inChunks(tar, 512), NO_SIGNAL),
          archiver.stat(view, "/data/file", NO_SIGNAL),
        ];
        for (const copy of await Promise.allSettled(copies)) {
          if (copy.status === "rejected") expect(copy.reason).toBeInstanceOf(EngineError);
          else if (copy.value !== undefined) expect(copy.value.name).toBe("file");
        }
      }
    } finally {
      racer.kill(9);
      await racer.exited;
    }
    expect(fingerprint(host)).toBe(before);
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(folder.path);
    expect(statSync(host).uid).toBe(0);
  },
  60_000,
);
