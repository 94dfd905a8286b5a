import type { Clock } from "#base/clock.ts";
import type { Emit } from "#base/event.ts";
import type { Logger } from "#base/log.ts";
import type { NetworkKernel } from "./driver.ts";
import type { DocumentTable } from "./network-records.ts";
import type { Subnet } from "./subnet.ts";

/** What a `NetworkManager` needs; two engines on one host differ in bridge and run directory. */
export interface NetworkManagerOptions {
  readonly kernel: NetworkKernel;
  /** The store's database, or whatever gives tables of documents. */
  readonly database: { documents(collection: string): DocumentTable };
  /** Namespaces are pinned below it, in `netns/`. */
  readonly runDirectory: string;
  readonly log: Logger;
  /** The default bridge, and the nftables table. `darse0` when absent. */
  readonly bridge?: string;
  /** Where the default bridge's subnet is chosen from. Docker's pools when absent. */
  readonly pools?: readonly Subnet[];
  /** Where networks that people make are cut from, in slices of 24 bits. The rest of Docker's pools when absent. */
  readonly networkPools?: readonly Subnet[];
  /** Told of networks that come and go, and of containers that join and leave them. */
  readonly emit?: Emit;
  readonly clock?: Clock;
  /** How soon a bridge or table that others removed is put back. 10,000 when absent; rules are heard of at once. */
  readonly mendEveryMs?: number;
}
