import { expect, test } from "bun:test";
import { statSync, writeFileSync } from "node:fs";
import { EngineError } from "#base/errors.ts";
import { digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { canonicalReference } from "#oci/reference.ts";
import { failureOf, temporaryFolder } from "../_fixtures.ts";
import { IN_MEMORY, openDatabase } from "./database.ts";
import { openSqlite } from "./sqlite.ts";

const target = { mediaType: MEDIA_TYPE.ociManifest, digest: digestOf("m"), size: 1 };
const reference = canonicalReference("debian");

test("what was written is there after the file is opened again", () => {
  using folder = temporaryFolder();
  {
    using database = openDatabase(folder.at("db"));
    database.documents("containers").put("a", { name: "one" });
    database.references.set(reference, target, 5);
  }
  using database = openDatabase(folder.at("db"));
  expect(database.documents("containers").all()).toEqual([{ id: "a", value: { name: "one" } }]);
  expect(database.references.find(reference)).toEqual({ reference, target, createdAt: 5 });
});

test("documents are kept apart by collection, replaced by id, and removed without fuss", () => {
  using database = openDatabase(IN_MEMORY);
  const one = database.documents("one");
  const other = database.documents("other");
  one.put("id", 1);
  one.put("id", { value: 2 });
  expect(one.find("id")).toEqual({ value: 2 });
  expect(other.find("id")).toBeUndefined();
  one.remove("id");
  one.remove("id");
  expect(one.all()).toEqual([]);
});

test("a hostile id is only text", () => {
  using database = openDatabase(IN_MEMORY);
  const documents = database.documents("x' OR '1'='1");
  documents.put("__proto__", { polluted: true });
  expect(documents.all()).toEqual([{ id: "__proto__", value: { polluted: true } }]);
});

test("a transaction that throws leaves nothing, one inside another joins it", () => {
  using database = openDatabase(IN_MEMORY);
  const documents = database.documents("one");
  const work = (): void =>
    database.transaction(() => {
      database.transaction(() => documents.put("inner", 1));
      documents.put("outer", 1);
      throw new Error("stop");
    });
  expect(work).toThrow("stop");
  expect(documents.all()).toEqual([]);
});

test("a reference moves to another target", () => {
  using database = openDatabase(IN_MEMORY);
  database.references.set(reference, target, 5);
  database.references.set(reference, { ...target, size: 2 }, 6);
  expect(database.references.all()).toMatchObject([{ createdAt: 6, target: { size: 2 } }]);
  database.references.remove(reference);
  expect(database.references.find(reference)).toBeUndefined();
});

test("the file is readable by its owner alone", () => {
  using folder = temporaryFolder();
  using _database = openDatabase(folder.at("db"));
  expect(statSync(folder.at("db")).mode & 0o777).toBe(0o600);
});

test("a database of a newer version is refused with both numbers", async () => {
  using folder = temporaryFolder();
  openDatabase(folder.at("db"))[Symbol.dispose]();
  const sqlite = openSqlite(folder.at("db"));
  sqlite.run("INSERT INTO migrations (number) VALUES (99)");
  sqlite.close();
  const error = await failureOf(() => openDatabase(folder.at("db")));
  expect(EngineError.is(error, "conflict")).toBe(true);
  expect(error.message).toMatch(/has schema 99, this version knows schemas up to \d+$/);
});

test("a file that is no database is refused by its path", async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.at("db"), "not a database, but long enough to be looked at".repeat(100));
  const error = await failureOf(() => openDatabase(folder.at("db")));
  expect(EngineError.is(error, "corrupt")).toBe(true);
  expect(error.message).toMatch(/^Cannot open the database .*: file is not a database$/);
});

test("a lease holds until it is disposed, or its time is over", () => {
  let now = 1000;
  using database = openDatabase(IN_MEMORY, () => now);
  const { leases } = database;
  const first = leases.open({ ttlMs: 100 });
  now = 1050;
  const second = leases.open();
  first.holdBlob(target.digest);
  second.holdBlob(target.digest);
  expect(leases.held()).toEqual({ digests: [target.digest], chainIds: [], since: 1000 });
  now = 1100;
  expect(leases.held().since).toBe(1050);
  second[Symbol.dispose]();
  expect(leases.held()).toEqual({ digests: [], chainIds: [], since: undefined });
});
