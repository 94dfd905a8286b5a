import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { MAY_IMPORT, ONLY_IN } from "./architecture.ts";

const SOURCE = join(import.meta.dir, "../src");
const IMPORT = /(?:from|import)\s*\(?\s*"([^"]+)"/g;

interface SourceFile {
  /** `store/content/content-store.ts` */
  readonly path: string;
  readonly room: string;
  readonly imports: readonly string[];
}

const files: SourceFile[] = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && path !== "main.ts")
  .map((path) => ({
    path,
    room: path.slice(0, path.indexOf("/")),
    imports: [...readFileSync(join(SOURCE, path), "utf8").matchAll(IMPORT)].map((match) => match[1] ?? ""),
  }));

const isTest = (file: SourceFile): boolean =>
  /(\.test|-suite)\.ts$/.test(file.path) || file.path.includes("/_fixtures/");

function offences(find: (file: SourceFile, imported: string) => boolean): string[] {
  return files.flatMap((file) =>
    file.imports.filter((name) => find(file, name)).map((name) => `${file.path} → ${name}`),
  );
}

test("every folder under src/ is a room of the table", () => {
  expect([...new Set(files.map((file) => file.room))].filter((room) => !(room in MAY_IMPORT))).toEqual([]);
});

test("a room imports only the rooms in its row", () => {
  const wrong = offences((file, name) => {
    if (!name.startsWith("#") || isTest(file)) return false;
    const room = name.slice(1, name.indexOf("/"));
    return room !== file.room && !MAY_IMPORT[file.room]?.includes(room);
  });
  expect(wrong).toEqual([]);
});

test("inside a room imports are relative, and none climbs out of its room", () => {
  const wrong = offences((file, name) => {
    if (name.startsWith("#")) return name.startsWith(`#${file.room}/`);
    if (!name.startsWith(".")) return false;
    const target = join(file.path, "..", name);
    return !isTest(file) && !target.startsWith(`${file.room}/`);
  });
  expect(wrong).toEqual([]);
});

test("what begins with _ is private to its room", () => {
  expect(offences((_file, name) => name.startsWith("#") && name.includes("/_"))).toEqual([]);
});

test("imports carry the .ts ending", () => {
  expect(offences((_file, name) => /^[#.]/.test(name) && !/\.(ts|json)$/.test(name))).toEqual([]);
});

test("what only Bun has stays where it may be", () => {
  const wrong = offences((file, name) => {
    const only = ONLY_IN[name];
    return only !== undefined && !file.path.startsWith(only);
  });
  expect(wrong).toEqual([]);
});
