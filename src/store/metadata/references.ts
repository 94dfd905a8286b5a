import { parseJson } from "#base/decode.ts";
import { type Descriptor, decodeDescriptor } from "#oci/descriptor.ts";
import type { Reference } from "#oci/reference.ts";
import type { Sqlite, SqlRow } from "./sqlite.ts";

/** A name and what it points at: a manifest or an index. */
export interface ReferenceRecord {
  readonly reference: Reference;
  readonly target: Descriptor;
  /** Epoch milliseconds. */
  readonly createdAt: number;
}

/** The names of images; each keeps everything its target reaches from being collected. */
export interface References {
  all(): ReferenceRecord[];
  find(reference: Reference): ReferenceRecord | undefined;
  /** Makes the name, or moves it to another target. */
  set(reference: Reference, target: Descriptor, createdAt: number): void;
  /** Success when there is none. */
  remove(reference: Reference): void;
}

export function openReferences(sqlite: Sqlite): References {
  return {
    all: () => sqlite.rows("SELECT * FROM image_references ORDER BY reference").map(decode),
    find: (reference) => {
      const [row] = sqlite.rows("SELECT * FROM image_references WHERE reference = ?", reference);
      return row === undefined ? undefined : decode(row);
    },
    set: (reference, target, createdAt) =>
      sqlite.run(
        "INSERT OR REPLACE INTO image_references (reference, target, created_at) VALUES (?, ?, ?)",
        reference,
        JSON.stringify(target),
        createdAt,
      ),
    remove: (reference) => sqlite.run("DELETE FROM image_references WHERE reference = ?", reference),
  };
}

function decode(row: SqlRow): ReferenceRecord {
  const reference = String(row["reference"]);
  return {
    // Only `set` writes this column, and it takes nothing but a Reference.
    reference: reference as Reference,
    target: decodeDescriptor(parseJson(String(row["target"]), `reference ${reference}`), reference),
    createdAt: Number(row["created_at"]),
  };
}
