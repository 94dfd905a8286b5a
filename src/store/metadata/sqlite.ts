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

/** Opens or creates a database file; prepared statements are kept by their text. */
export function openSqlite(path: string): Sqlite {
  const database = new BunDatabase(path, { create: true, strict: true });
  const query = (statement: string) => database.query<SqlRow, SqlValue[]>(statement);
  return {
    run: (statement, ...values) => void query(statement).run(...values),
    rows: (statement, ...values) => query(statement).all(...values),
    transaction: (work) => (database.inTransaction ? work() : database.transaction(work).immediate()),
    close: () => database.close(),
  };
}
