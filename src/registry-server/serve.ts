import type { Logger } from "#base/log.ts";
import { openToAll } from "./auth/guard.ts";
import type { VerifyPassword } from "./auth/htpasswd.ts";
import { DEFAULT_FRESH_MS, PullThrough } from "./cache/pull-through.ts";
import type { Upstream } from "./cache/upstream.ts";
import { Collections } from "./collection.ts";
import { Control } from "./control.ts";
import { type LockFile, lockFolder } from "./folder-lock.ts";
import { address, type Flags, milliseconds, rootOf } from "./options.ts";
import { Registry } from "./registry.ts";
import {
  collectionOptions,
  readGuard,
  readTls,
  readUpstream,
  registryOptions,
  storageOptions,
  type UpstreamSettings,
} from "./serve-settings.ts";
import { type Address, listenForMetrics, RegistryServer } from "./server.ts";
import { Layout } from "./storage/layout.ts";
import { openStorage } from "./storage/storage.ts";

const DEFAULT_ADDRESS: Address = { host: "127.0.0.1", port: 5000 };

/** What of the machine a registry uses; handed in by who knows how. */
export interface Doors {
  readonly verifyPassword: VerifyPassword;
  readonly lock: LockFile;
  readonly connect: (settings: UpstreamSettings) => Upstream;
}

export interface ServeWorld extends Doors {
  readonly log: Logger;
  /** Resolves, with the reason, when the registry shall end. */
  readonly stop: Promise<string>;
}

/** Serves until told to stop. */
export async function serve(flags: Flags, { log, stop, ...doors }: ServeWorld): Promise<void> {
  const isReadOnly = flags["read-only"] === true;
  const tls = await readTls(flags);
  const guard = await readGuard(flags, doors.verifyPassword);
  const settings = await readUpstream(flags);
  const root = rootOf(flags);
  const layout = new Layout(root);
  await using resources = new AsyncDisposableStack();
  if (!isReadOnly) resources.use(await lockFolder(layout, doors.lock));
  const storage = await openStorage({ ...storageOptions(flags), root, isReadOnly });
  const freshMs = milliseconds(flags, "upstream-fresh") ?? DEFAULT_FRESH_MS;
  const limits = registryOptions(flags);
  const source =
    settings && new PullThrough({ ...limits, storage, upstream: doors.connect(settings), log, freshMs });
  const registry = new Registry({
    ...limits,
    storage,
    guard: guard ?? openToAll,
    log,
    isReadOnly,
    ...(source && { source }),
  });
  const listen = address(flags, "listen") ?? DEFAULT_ADDRESS;
  const server = resources.use(await RegistryServer.listen(registry, listen, { tls }));
  const { metrics } = registry;
  const metricsAddress = address(flags, "metrics-listen");
  if (metricsAddress !== undefined) resources.use(await listenForMetrics(metrics, metricsAddress));
  if (!isReadOnly) {
    const collections = resources.use(
      new Collections({ ...collectionOptions(flags), storage, log, metrics }),
    );
    resources.use(await Control.listen(layout.controlSocket, (wish) => collections.collect(wish)));
  }
  if (guard === undefined && !isReadOnly && settings === undefined && !isLoopback(listen)) {
    log.warn("everybody who reaches this registry may change it", {
      hint: "--htpasswd, or --token-realm and its kin",
    });
  }
  log.info("the registry answers", { ...server.address, root, tls: tls !== undefined });
  log.info("stopping", { signal: await stop });
}

function isLoopback({ host }: Address): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}
