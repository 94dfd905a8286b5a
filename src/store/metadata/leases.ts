import { newId } from "#base/ids.ts";
import { type ChainId, type Digest, parseChainId, parseDigest } from "#oci/digest.ts";
import type { Sqlite } from "./sqlite.ts";

/**
 * Work under way that has no name yet: what a lease holds, and every blob and snapshot made while one is open, is not
 * collected. Disposing ends it; a lease that outlives its time ends by itself, and those of a dead engine end at start.
 */
export interface Lease extends Disposable {
  readonly id: string;
  holdBlob(digest: Digest): void;
  holdSnapshot(chainId: ChainId): void;
}

export interface Leases {
  /** Opens a lease that ends after `ttlMs` at the latest, a day when not given. */
  open(options?: { ttlMs?: number }): Lease;
  /** What living leases hold, and since when the oldest of them lives (epoch milliseconds, `undefined` without any). */
  held(): { readonly digests: Digest[]; readonly chainIds: ChainId[]; readonly since: number | undefined };
  /** Ends every lease: at start, when the work they stood for is dead. */
  endAll(): void;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export function openLeases(sqlite: Sqlite, now: () => number): Leases {
  const hold = (lease: string, kind: "blob" | "snapshot", id: string): void =>
    sqlite.run("INSERT OR IGNORE INTO lease_holds (lease, kind, id) VALUES (?, ?, ?)", lease, kind, id);
  return {
    open: ({ ttlMs = DAY_MS } = {}) => {
      const id = newId();
      const createdAt = now();
      sqlite.run(
        "INSERT INTO leases (id, created_at, expires_at) VALUES (?, ?, ?)",
        id,
        createdAt,
        createdAt + ttlMs,
      );
      return {
        id,
        holdBlob: (digest) => hold(id, "blob", digest),
        holdSnapshot: (chainId) => hold(id, "snapshot", chainId),
        [Symbol.dispose]: () => sqlite.run("DELETE FROM leases WHERE id = ?", id),
      };
    },
    held: () => {
      sqlite.run("DELETE FROM leases WHERE expires_at <= ?", now());
      const [oldest] = sqlite.rows("SELECT min(created_at) AS since FROM leases");
      const ids = (kind: string): string[] =>
        sqlite
          .rows("SELECT DISTINCT id FROM lease_holds WHERE kind = ?", kind)
          .map((row) => String(row["id"]));
      return {
        digests: ids("blob").map(parseDigest),
        chainIds: ids("snapshot").map(parseChainId),
        since: typeof oldest?.["since"] === "number" ? oldest["since"] : undefined,
      };
    },
    endAll: () => sqlite.run("DELETE FROM leases"),
  };
}
