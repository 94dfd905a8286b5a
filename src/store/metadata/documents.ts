import { EngineError } from "#base/errors.ts";
import type { Sqlite, SqlValue } from "./sqlite.ts";

/** Records of one kind, by id, as JSON. What comes back is `unknown`: the owning room decodes it. */
export interface DocumentTable {
  all(): { readonly id: string; readonly value: unknown }[];
  find(id: string): unknown;
  /** Writes or replaces. Visible at once, durable with the next checkpoint of the log. */
  put(id: string, value: unknown): void;
  /** Success when there is none. */
  remove(id: string): void;
}

export function openDocuments(sqlite: Sqlite, collection: string): DocumentTable {
  return {
    all: () =>
      sqlite
        .rows("SELECT id, value FROM documents WHERE collection = ? ORDER BY id", collection)
        .map(({ id, value }) => ({ id: String(id), value: parse(collection, String(id), value) })),
    find: (id) => {
      const [row] = sqlite.rows(
        "SELECT value FROM documents WHERE collection = ? AND id = ?",
        collection,
        id,
      );
      return row === undefined ? undefined : parse(collection, id, row["value"]);
    },
    put: (id, value) =>
      sqlite.run(
        "INSERT OR REPLACE INTO documents (collection, id, value) VALUES (?, ?, ?)",
        collection,
        id,
        JSON.stringify(value),
      ),
    remove: (id) => sqlite.run("DELETE FROM documents WHERE collection = ? AND id = ?", collection, id),
  };
}

function parse(collection: string, id: string, value: SqlValue | undefined): unknown {
  try {
    return JSON.parse(String(value)) as unknown;
  } catch (error) {
    throw new EngineError("corrupt", `Cannot read record "${id}" of ${collection}: it is not JSON`, {
      cause: error,
    });
  }
}
