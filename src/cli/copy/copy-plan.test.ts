import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import {
  type CopyArgument,
  type CopyEnd,
  parseCopyArgument,
  planCopy,
  renameEntry,
  splitEntry,
} from "./copy-plan.ts";

const args: [text: string, want: CopyArgument][] = [
  ["web:/etc/hosts", { container: "web", path: "/etc/hosts" }],
  ["web:etc:x", { container: "web", path: "etc:x" }],
  ["./file:name.txt", { path: "./file:name.txt" }],
  ["/file:name.txt", { path: "/file:name.txt" }],
  ["file", { path: "file" }],
  ["-", { path: "-" }],
];
for (const [text, want] of args) {
  test(`${text} is ${want.container === undefined ? "a local path" : `of ${want.container}`}`, () => {
    expect(parseCopyArgument(text)).toEqual(want);
  });
}

const splits: [path: string, parent: string, base: string][] = [
  ["/a/b", "/a", "b"],
  ["/a/b/", "/a", "b"],
  ["/a/b/.", "/a/b", "."],
  ["/", "/", "/"],
  ["a", ".", "a"],
];
for (const [path, parent, base] of splits) {
  test(`${path} is ${base} in ${parent}`, () => expect(splitEntry(path)).toEqual({ parent, base }));
}

// The table of moby/go-archive, copy.go: what the source is, what the destination is, where it goes.
const plans: [source: string, destination: string, kind: CopyEnd["kind"], want: string][] = [
  ["file", "/d", "directory", "/d file"],
  ["file", "/d/f", "other", "/d f"],
  ["file", "/d/f", "absent", "/d f"],
  ["file", "/d/f/", "absent", "no such directory"],
  ["folder/", "/d", "directory", "/d folder"],
  ["folder/", "/d/f", "other", "cannot copy directory"],
  ["folder/", "/d/f", "absent", "/d f"],
  ["folder/", "/d/f/", "absent", "/d f"],
  ["./", "/d", "directory", "/d ."],
  ["./", "/d/f", "absent", "/d f"],
];
for (const [source, path, kind, want] of plans) {
  test(`${source} to ${path}, which is ${kind}: ${want}`, () => {
    const isDirectory = source.endsWith("/");
    const outcome = attempt(() => planCopy({ name: source.replace("/", ""), isDirectory }, { path, kind }));
    expect(outcome).toBe(want);
  });
}

function attempt(plan: () => { directory: string; name: string }): string {
  try {
    const { directory, name } = plan();
    return `${directory} ${name}`;
  } catch (error) {
    if (!EngineError.is(error, "invalid")) throw error;
    return error.message;
  }
}

const renames: [path: string, from: string, to: string, want: string][] = [
  ["dir", "dir", "new", "new"],
  ["dir/a", "dir", "new", "new/a"],
  ["directory", "dir", "new", "directory"],
  ["/bin", "/", "new", "new/bin"],
  ["", "/", "new", "new"],
  ["./a", ".", "new", "new/a"],
];
for (const [path, from, to, want] of renames) {
  test(`with ${from} called ${to}, "${path}" is ${want}`, () =>
    expect(renameEntry(path, from, to)).toBe(want));
}
