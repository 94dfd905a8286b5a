import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readTar } from "#oci/tar/tar-reader.ts";
import { type BuildSources, prepareBuild } from "./build-input.ts";

let folder = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "darse-context-"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function files(contents: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

async function* stdin(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void> {
  for (const chunk of chunks)
    yield await Promise.resolve(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
}

const sources = (more: Partial<BuildSources> = {}): BuildSources => ({
  context: ".",
  file: undefined,
  workingDirectory: folder,
  input: stdin(),
  ...more,
});

async function* none(): AsyncGenerator<Uint8Array, void> {}

/** The archive as `path` → content, `/` for a folder, `-> x` for a link. */
async function unpack(body: AsyncIterable<Uint8Array> = none()): Promise<Record<string, string>> {
  const limits = { maxEntries: 1000, maxPathBytes: 4096, maxDepth: 100, maxPaxBytes: 65536 };
  const found: Record<string, string> = {};
  for await (const entry of readTar(body, limits)) {
    const text = Buffer.concat(await Array.fromAsync(entry.body)).toString();
    found[entry.path] =
      entry.type === "directory" ? "/" : entry.type === "symlink" ? `-> ${entry.linkName}` : text;
    expect([entry.uid, entry.gid]).toEqual([0, 0]);
  }
  return found;
}

test("a folder is sent in the order of names, links as links", async () => {
  files({ Dockerfile: "FROM x", "b/2": "two", "b/1": "one", a: "A" });
  symlinkSync("/etc/passwd", join(folder, "link"));
  const { body, dockerfile } = await prepareBuild(sources());
  const found = await unpack(body);
  expect(found).toEqual({
    Dockerfile: "FROM x",
    a: "A",
    b: "/",
    "b/1": "one",
    "b/2": "two",
    link: "-> /etc/passwd",
  });
  expect(Object.keys(found)).toEqual(["Dockerfile", "a", "b", "b/1", "b/2", "link"]);
  expect(dockerfile).toBe("Dockerfile");
});

test("what .dockerignore names stays here, but never the Dockerfile and the ignore file", async () => {
  files({
    Dockerfile: "FROM x",
    ".dockerignore": "*\n!src\nsrc/*.log\n",
    "src/a": "a",
    "src/a.log": "log",
    "node_modules/x/y": "big",
    secret: "s",
  });
  const { body } = await prepareBuild(sources());
  expect(Object.keys(await unpack(body))).toEqual([".dockerignore", "Dockerfile", "src", "src/a"]);
});

test("what is kept below an ignored folder is found there", async () => {
  files({
    Dockerfile: "FROM x",
    ".dockerignore": "docs\n!docs/README.md\n",
    "docs/README.md": "r",
    "docs/other": "o",
  });
  expect(Object.keys(await unpack((await prepareBuild(sources())).body))).toEqual([
    ".dockerignore",
    "Dockerfile",
    "docs/README.md",
  ]);
});

test("NAME.dockerignore goes before .dockerignore", async () => {
  files({
    "web.Dockerfile": "FROM x",
    "web.Dockerfile.dockerignore": "b",
    ".dockerignore": "a",
    a: "",
    b: "",
  });
  const { body, dockerfile } = await prepareBuild(sources({ file: "web.Dockerfile" }));
  expect(Object.keys(await unpack(body))).toContain("a");
  expect(dockerfile).toBe("web.Dockerfile");
  expect(
    Object.keys(await unpack((await prepareBuild(sources({ file: "web.Dockerfile" }))).body)),
  ).not.toContain("b");
});

test("a Dockerfile in an ignored folder goes along", async () => {
  files({ "docker/Dockerfile": "FROM x", ".dockerignore": "docker\n", "docker/other": "o" });
  const { body, dockerfile } = await prepareBuild(sources({ file: "docker/Dockerfile" }));
  expect(Object.keys(await unpack(body))).toEqual([".dockerignore", "docker/Dockerfile"]);
  expect(dockerfile).toBe("docker/Dockerfile");
});

test("a Dockerfile from stdin or from outside is added under a name of its own", async () => {
  files({ "context/a": "A", "elsewhere/Dockerfile": "FROM y" });
  for (const [file, text] of [
    ["-", "FROM stdin"],
    ["elsewhere/Dockerfile", "FROM y"],
  ] as const) {
    const input = stdin("FROM ", "stdin");
    const { body, dockerfile = "" } = await prepareBuild(sources({ context: "context", file, input }));
    expect(dockerfile).toMatch(/^\.dockerfile\.[0-9a-f]{20}$/);
    expect(await unpack(body)).toEqual({ a: "A", [dockerfile]: text });
  }
});

test("`-` takes a Dockerfile without files, or an archive as it is", async () => {
  const text = await prepareBuild(sources({ context: "-", input: stdin("FROM x\n", "RUN y\n") }));
  expect(await unpack(text.body)).toEqual({ Dockerfile: "FROM x\nRUN y\n" });
  files({ Dockerfile: "FROM z" });
  const archive = Buffer.concat(await Array.fromAsync((await prepareBuild(sources())).body ?? none()));
  const parts = stdin(archive.subarray(0, 100), archive.subarray(100));
  const sent = await prepareBuild(sources({ context: "-", input: parts }));
  expect(Buffer.concat(await Array.fromAsync(sent.body ?? none()))).toEqual(archive);
  const gzip = stdin(new Uint8Array([0x1f, 0x8b, 8, 0, 1, 2, 3]));
  const compressed = await prepareBuild(sources({ context: "-", input: gzip }));
  expect(Buffer.concat(await Array.fromAsync(compressed.body ?? none()))).toHaveLength(7);
});

test("a URL is left to the engine", async () => {
  expect(await prepareBuild(sources({ context: "https://host/repo.git#main" }))).toEqual({
    body: undefined,
    remote: "https://host/repo.git#main",
    dockerfile: undefined,
  });
});

test("a large file comes whole", async () => {
  files({ Dockerfile: "FROM x", big: "0123456789".repeat(100_000) });
  expect((await unpack((await prepareBuild(sources())).body))["big"]).toHaveLength(1_000_000);
});

const wrong: [Partial<BuildSources>, string][] = [
  [{ context: "nope" }, 'unable to prepare context: path "nope" not found'],
  [{ context: "a" }, "context must be a directory"],
  [{ file: "nope" }, "no such file or directory"],
  [{ context: "-", file: "-" }, "can't use stdin for both build context and dockerfile"],
  [{ context: "-" }, "Cannot build from stdin: it is empty"],
];
for (const [more, message] of wrong) {
  test(`${JSON.stringify(more)} is refused: ${message}`, async () => {
    files({ a: "" });
    expect(prepareBuild(sources(more))).rejects.toThrow(message);
  });
}

test("a file that cannot be read is named", async () => {
  files({ Dockerfile: "FROM x", locked: "x" });
  chmodSync(join(folder, "locked"), 0);
  const { body } = await prepareBuild(sources());
  if (process.getuid?.() === 0) expect(Object.keys(await unpack(body))).toContain("locked");
  else expect(unpack(body)).rejects.toThrow("permission denied");
});
