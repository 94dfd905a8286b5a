import type { ApiCaller } from "./api-caller.ts";
import type { Filters } from "./client.ts";
import type { BuildCachePruneReport, DiskUsage } from "./disk-usage.ts";
import type { EventMessage } from "./events.ts";
import type { RegistryAuth } from "./images.ts";
import type { PortsReport } from "./ports.ts";
import { encodeFilters, trusted } from "./request-parts.ts";
import type { LoginResponse, SystemInfo, SystemVersion } from "./system.ts";

/** The calls of Engine API group System, and those on the cache of builds. */
export class SystemCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  async version(): Promise<SystemVersion> {
    return trusted(await this.#caller.json({ method: "GET", path: "/version" }));
  }

  async info(): Promise<SystemInfo> {
    return trusted(await this.#caller.json({ method: "GET", path: "/info" }));
  }

  async *events(
    query: { since?: string | undefined; until?: string | undefined },
    filters: Filters,
  ): AsyncGenerator<EventMessage, void> {
    const all = { ...query, filters: encodeFilters(filters) };
    for await (const value of this.#caller.lines({ method: "GET", path: "/events", query: all })) {
      yield trusted<EventMessage>(value);
    }
  }

  /** Asks a registry whether it lets these in. @throws {ApiError} unauthorized when it does not */
  async login(auth: RegistryAuth): Promise<LoginResponse> {
    return trusted(await this.#caller.json({ method: "POST", path: "/auth", json: auth }));
  }

  /** @param isVerbose with the objects themselves, not only their sums (API 1.52) */
  async diskUsage(isVerbose: boolean): Promise<DiskUsage> {
    const query = { verbose: isVerbose };
    return trusted(await this.#caller.json({ method: "GET", path: "/system/df", query }));
  }

  /** Who can reach which port. Our own, not in Docker's API. */
  async ports(): Promise<PortsReport> {
    return trusted(await this.#caller.json({ method: "GET", path: "/darse/ports" }));
  }

  /** @param query bytes to keep under the names that it has had (API 1.48) */
  async pruneBuildCache(
    query: {
      all: boolean;
      "reserved-space"?: number | undefined;
      "keep-storage"?: number | undefined;
    },
    filters: Filters,
  ): Promise<BuildCachePruneReport> {
    const all = { ...query, filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "POST", path: "/build/prune", query: all }));
  }
}
