/**
 * The schema as it grew: each statement list is applied once, in order, and its number remembered. What has been
 * released is never changed; a change of the schema is a new list at the end.
 */
export const MIGRATIONS: readonly (readonly string[])[] = [
  [
    `CREATE TABLE documents (
       collection TEXT NOT NULL,
       id TEXT NOT NULL,
       value TEXT NOT NULL,
       PRIMARY KEY (collection, id)
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE image_references (
       reference TEXT NOT NULL PRIMARY KEY,
       target TEXT NOT NULL,
       created_at INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE leases (
       id TEXT NOT NULL PRIMARY KEY,
       created_at INTEGER NOT NULL,
       expires_at INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID`,
    `CREATE TABLE lease_holds (
       lease TEXT NOT NULL REFERENCES leases(id) ON DELETE CASCADE,
       kind TEXT NOT NULL,
       id TEXT NOT NULL,
       PRIMARY KEY (lease, kind, id)
     ) STRICT, WITHOUT ROWID`,
  ],
];
