import { Database as BunDatabase } from "bun:sqlite";

/** A column's value; 64-bit integers beyond the safe range are not stored. */
export type SqlValue = string | number | null;

export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The few things we ask of SQLite; the only place that knows which binding answers. Everything is synchronous. */
export interface Sqlite {
  /** Runs one statement that returns nothing. */
  run(statement: string, ...values: SqlValue[]): void;
  rows(statement: string, ...values: SqlValue[]): SqlRow[];
  /** Runs `work` in one transaction: all of it is kept, or none when it throws. Nested calls join the outer one. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Room kept back for a full disk: see `Reserve`. */
export interface SpareRoom {
  spend(): boolean;
  renew(): void;
}

/**
 * Opens or creates a database file; prepared statements are kept by their text.
 *
 * @param room asked when the disk is full: what it made room for is tried once more
 */
export function openSqlite(path: string, room?: SpareRoom): Sqlite {
  const database = new BunDatabase(path, { create: true, strict: true });
  const query = (statement: string) => database.query<SqlRow, SqlValue[]>(statement);
  const insist = <T>(work: () => T): T => {
    try {
      const result = work();
      room?.renew();
      return result;
    } catch (error) {
      if (!isDiskFull(error) || !room?.spend()) throw error;
      return work();
    }
  };
  return {
    run(statement, ...values) {
      const once = (): void => void query(statement).run(...values);
      // a transaction is tried again as a whole
      if (database.inTransaction) once();
      else insist(once);
    },
    rows: (statement, ...values) => query(statement).all(...values),
    transaction: (work) =>
      database.inTransaction ? work() : insist(() => database.transaction(work).immediate()),
    close: () => database.close(),
  };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "SQLITE_FULL";
}
