import type { DocumentTable } from "./network-records.ts";

/** Tables of documents in memory, for tests: what is read back was text in between, as in the store. */
export function memoryDatabase(): { documents(collection: string): DocumentTable } {
  const collections = new Map<string, Map<string, string>>();
  return {
    documents(collection) {
      const rows = collections.getOrInsertComputed(collection, () => new Map<string, string>());
      return {
        all: () => [...rows].map(([id, value]) => ({ id, value: JSON.parse(value) as unknown })),
        put: (id, value) => void rows.set(id, JSON.stringify(value)),
        remove: (id) => void rows.delete(id),
      };
    },
  };
}
