import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { type ContextFiles, contextTar } from "../_fixtures/context-tar.ts";
import { BuildContext } from "./build-context.ts";
import { knownSelectionDigest, selectFiles } from "./select.ts";
import { Spool } from "./spool.ts";

const NEVER = new AbortController().signal;

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "darse-context-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function read(files: ContextFiles, path = tmpdir()): Promise<BuildContext> {
  return await BuildContext.read(contextTar(files), path, NEVER);
}

const selection = (path: string, more: { excludes?: string[]; keepsParents?: boolean } = {}) => ({
  path,
  excludes: more.excludes ?? [],
  keepsParents: more.keepsParents ?? false,
});

// Case 24: nothing that an archive says reaches a path of the host, and what makes no sense is refused.
const refused: [string, ContextFiles, string][] = [
  ["a path that climbs", { "../x": "" }, 'its path contains ".."'],
  ["a path that climbs inside", { "a/../../x": "" }, 'its path contains ".."'],
  ["a file that stands there twice", { a: "1", "./a": "2" }, "the name stands there twice"],
  [
    "a file below a link",
    { l: { type: "symlink", linkName: "/etc" }, "l/passwd": "x" },
    '"l" on its way is no directory',
  ],
  ["a file below a file", { f: "", "f/x": "" }, '"f" on its way is no directory'],
  [
    "a directory over a link",
    { l: { type: "symlink", linkName: "/etc" }, "./l": { type: "directory" } },
    "stands there twice",
  ],
  [
    "a hard link to nothing",
    { h: { type: "hardlink", linkName: "etc/passwd" } },
    "which is no file before it",
  ],
  [
    "a hard link that climbs",
    { h: { type: "hardlink", linkName: "../../etc/passwd" } },
    'its path contains ".."',
  ],
  [
    "a hard link to a link",
    { l: { type: "symlink", linkName: "/etc/passwd" }, h: { type: "hardlink", linkName: "l" } },
    "which is no file before it",
  ],
];

for (const [name, files, message] of refused) {
  test(`${name} is refused, and nothing is left`, async () => {
    await using place = await folder();
    const error: unknown = await read(files, place.path).catch((thrown: unknown) => thrown);
    expect(EngineError.is(error, "invalid")).toBe(true);
    expect(error).toMatchObject({ message: expect.stringContaining(message) });
    expect(await readdir(place.path)).toEqual([]);
  });
}

test("absolute names, missing parents and parents that come late are inside the context", async () => {
  await using context = await read({
    "/etc/passwd": "mine",
    "d/e/f": "x",
    "d/e": { type: "directory", mode: 0o700 },
  });
  expect(context.find("/etc/passwd", { follow: false })).toMatchObject({
    type: "file",
    size: 4,
    uid: 0,
    gid: 0,
  });
  expect(context.find("d", { follow: false })).toMatchObject({ type: "directory", mode: 0o755 });
  expect(context.find("d/e", { follow: false })).toMatchObject({ type: "directory", mode: 0o700 });
});

test("names of JavaScript's own mean nothing", async () => {
  await using context = await read({ "__proto__/constructor": "x", toString: "y" });
  expect(context.find("__proto__/constructor", { follow: true })).toMatchObject({ type: "file" });
  expect(context.find("hasOwnProperty", { follow: true })).toBeUndefined();
});

const links: [string, string | undefined][] = [
  ["absolute", "d/f"],
  ["climbing", "d/f"],
  ["d/up", "d/f"],
  ["chain", "d/f"],
  ["loop", undefined],
  ["dangling", undefined],
];

for (const [path, target] of links) {
  test(`the link ${path} leads to ${target ?? "nothing"}`, async () => {
    await using context = await read({
      "d/f": "x",
      absolute: { type: "symlink", linkName: "/d/f" },
      climbing: { type: "symlink", linkName: "../../../d/f" },
      "d/up": { type: "symlink", linkName: "../d/./f" },
      chain: { type: "symlink", linkName: "absolute" },
      loop: { type: "symlink", linkName: "loop" },
      dangling: { type: "symlink", linkName: "nowhere" },
    });
    expect(context.find(path, { follow: true })?.path).toBe(target);
  });
}

test("the Dockerfile is found by name, a near name is told", async () => {
  await using context = await read({ Dockerfille: "FROM a" });
  await expect(context.readText("Dockerfile")).rejects.toMatchObject({
    message: "Cannot locate specified Dockerfile: Dockerfile",
    hint: "did you mean Dockerfille?",
  });
});

test("the ignore file of the Dockerfile wins over that of the context", async () => {
  await using context = await read({ ".dockerignore": "a", "x/Dockerfile.dockerignore": "b", a: "", b: "" });
  await context.applyIgnoreFile("x/Dockerfile");
  expect(context.find("a", { follow: false })).toBeDefined();
  expect(context.find("b", { follow: false })).toBeUndefined();
});

const FILES: ContextFiles = {
  "a.txt": "a",
  "b.txt": "b",
  "d/x.txt": "x",
  "d/e/y.md": "y",
  "d/e/z": "z",
  link: { type: "symlink", linkName: "d" },
};

const selections: [string, Parameters<typeof selection>[1], string[]][] = [
  ["a.txt", {}, ["a.txt"]],
  ["/a.txt", {}, ["a.txt"]],
  ["../../a.txt", {}, ["a.txt"]],
  ["*.txt", {}, ["a.txt", "b.txt"]],
  ["[b-z].txt", {}, ["b.txt"]],
  ["?.txt", {}, ["a.txt", "b.txt"]],
  ["*.nope", {}, []],
  ["*/x.txt", {}, ["x.txt", "x.txt"]],
  ["d", {}, ["d:", "e", "e/y.md", "e/z", "x.txt"]],
  ["link", {}, ["link:", "e", "e/y.md", "e/z", "x.txt"]],
  ["d", { excludes: ["**/*.md"] }, ["d:", "e", "e/z", "x.txt"]],
  ["d", { excludes: ["e"] }, ["d:", "x.txt"]],
  ["d", { excludes: ["*", "!e/z"] }, ["d:", "e", "e/z"]],
  ["d/e/z", { keepsParents: true }, ["d/e/z"]],
  ["d/./e/z", { keepsParents: true }, ["e/z"]],
  ["**/*.txt", { keepsParents: true }, ["a.txt", "b.txt", "d/x.txt"]],
];

for (const [path, more, expected] of selections) {
  test(`${path} ${JSON.stringify(more)} selects ${expected.join(" ")}`, async () => {
    await using context = await read(FILES);
    const roots = selectFiles(context, selection(path, more));
    const names = roots.flatMap(({ entry, name, below }) =>
      entry.type === "directory" ? [`${name}:`, ...below.map((one) => one.path)] : [name],
    );
    expect(names).toEqual(expected);
  });
}

test("a missing source is told with a near match", async () => {
  await using context = await read(FILES);
  expect(() => selectFiles(context, selection("d/x.text"))).toThrow(
    new EngineError(
      "not-found",
      "COPY failed: file not found in build context or excluded by .dockerignore: stat d/x.text: file does not exist",
    ),
  );
});

test("a selection's digest depends on names, kinds, modes and bytes, and on nothing else", async () => {
  const digest = async (files: ContextFiles): Promise<string> => {
    await using context = await read(files);
    return knownSelectionDigest(context, selectFiles(context, selection("d")));
  };
  const base: ContextFiles = { "d/f": { body: "1", mode: 0o644 } };
  const same: ContextFiles[] = [
    { "d/f": { body: "1", mode: 0o644, mtimeNs: 5n, uid: 77 } },
    { d: { type: "directory", mode: 0o700 }, "d/f": { body: "1", mode: 0o644 }, other: "x" },
  ];
  const different: ContextFiles[] = [
    { "d/f": { body: "2", mode: 0o644 } },
    { "d/f": { body: "1", mode: 0o755 } },
    { "d/g": { body: "1", mode: 0o644 } },
    { "d/f": { type: "symlink", linkName: "1" } },
    { "d/f": { body: "1", mode: 0o644 }, "d/g": "" },
    { "d/f": { type: "fifo", mode: 0o644 } },
    { "d/f": { body: "1", mode: 0o644, xattrs: new Map([["user.a", new Uint8Array([1])]]) } },
  ];
  for (const files of same) expect(await digest(files)).toBe(await digest(base));
  const digests = await Promise.all([base, ...different].map(digest));
  expect(new Set(digests).size).toBe(digests.length);
});

test("a spool gives back what it took, in memory and in a file that has no name", async () => {
  await using place = await folder();
  await using spool = new Spool(place.path);
  const parts = Array.from({ length: 40 }, (_, index) => Buffer.alloc(300_000, index));
  const extents: { offset: number; size: number }[] = [];
  for (const part of parts) {
    extents.push({ offset: spool.size, size: part.byteLength });
    await spool.append(part.subarray(0, 1000));
    await spool.append(part.subarray(1000));
  }
  expect(await readdir(place.path)).toEqual([]);
  for (const [index, extent] of extents.entries()) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of spool.read(extent)) chunks.push(chunk.slice());
    expect(digestOf(Buffer.concat(chunks))).toBe(digestOf(parts[index] ?? new Uint8Array()));
  }
});
