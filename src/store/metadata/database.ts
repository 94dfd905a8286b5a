import { chmodSync } from "node:fs";
import { type Clock, systemClock } from "#base/clock.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { type DocumentTable, openDocuments } from "./documents.ts";
import { type Leases, openLeases } from "./leases.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openReferences, type References } from "./references.ts";
import { Reserve } from "./reserve.ts";
import { openSqlite, type Sqlite } from "./sqlite.ts";

/**
 * The records of one engine, in one SQLite file: names of images, leases, and documents of every other room. Calls are
 * synchronous and take microseconds. A process killed at any moment loses nothing that was written; a machine that loses
 * power may lose the last writes, never their order. A disk that is full is no reason to forget what happened: see
 * `Reserve`.
 */
export interface Database extends Disposable {
  readonly references: References;
  readonly leases: Leases;
  /** The records of a kind, such as `"containers"`; made when first written to. */
  documents(collection: string): DocumentTable;
  /** Runs `work`, which must be synchronous: all that it wrote is kept, or none when it throws. */
  transaction<T>(work: () => T): T;
}

/** A path that names no file: the database lives as long as it is open. For tests. */
export const IN_MEMORY = ":memory:";

/**
 * Opens the database at `path`, making or migrating it. The caller disposes.
 *
 * @throws {EngineError} conflict when a newer Darse has written it; corrupt when it is not a database
 */
export function openDatabase(path: string, clock: Clock = systemClock): Database {
  const reserve = path === IN_MEMORY ? undefined : new Reserve(`${path}.reserve`);
  const sqlite = openFile(path, reserve);
  try {
    migrate(sqlite, path);
  } catch (error) {
    sqlite.close();
    throw error;
  }
  return {
    references: openReferences(sqlite),
    leases: openLeases(sqlite, clock),
    documents: (collection) => openDocuments(sqlite, collection),
    transaction: (work) => sqlite.transaction(work),
    [Symbol.dispose]: () => sqlite.close(),
  };
}

function openFile(path: string, reserve: Reserve | undefined): Sqlite {
  try {
    const sqlite = openSqlite(path, reserve);
    if (path !== IN_MEMORY) chmodSync(path, 0o600);
    sqlite.rows("PRAGMA journal_mode = WAL");
    sqlite.run("PRAGMA synchronous = NORMAL");
    sqlite.run("PRAGMA foreign_keys = ON");
    sqlite.rows("PRAGMA busy_timeout = 5000");
    return sqlite;
  } catch (error) {
    throw new EngineError("corrupt", `Cannot open the database ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

function migrate(sqlite: Sqlite, path: string): void {
  sqlite.transaction(() => {
    sqlite.run("CREATE TABLE IF NOT EXISTS migrations (number INTEGER NOT NULL PRIMARY KEY) STRICT");
    const [row] = sqlite.rows("SELECT max(number) AS latest FROM migrations");
    const latest = Number(row?.["latest"] ?? 0);
    if (latest > MIGRATIONS.length) {
      throw new EngineError(
        "conflict",
        `Cannot open the database ${path}: it has schema ${latest}, this version knows schemas up to ${MIGRATIONS.length}`,
        { hint: "install the newer version again, or start with another --root" },
      );
    }
    for (const [index, statements] of MIGRATIONS.entries()) {
      if (index < latest) continue;
      for (const statement of statements) sqlite.run(statement);
      sqlite.run("INSERT INTO migrations (number) VALUES (?)", index + 1);
    }
  });
}
