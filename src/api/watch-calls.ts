import type { ApiCaller } from "./api-caller.ts";
import type { ContainerTop } from "./container-inspect.ts";
import type { ContainerStatsResponse } from "./container-stats.ts";
import type { HostConfig } from "./containers.ts";
import { segment, trusted } from "./request-parts.ts";
import type { Sparse } from "./sparse.ts";

/** Limits and a restart policy; zero, empty and absent leave what there is. */
export type LimitChange = Sparse<HostConfig>;

/** Looking at running containers, and adjusting them. */
export class WatchCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  /** One sample, with the one of a second before. */
  async stats(id: string): Promise<ContainerStatsResponse> {
    const path = `/containers/${segment(id)}/stats`;
    return trusted(await this.#caller.json({ method: "GET", path, query: { stream: "0" } }));
  }

  /** A sample a second, until `signal` or the container's end. */
  async *streamStats(id: string, signal: AbortSignal): AsyncGenerator<ContainerStatsResponse, void> {
    const path = `/containers/${segment(id)}/stats`;
    for await (const value of this.#caller.lines({ method: "GET", path, query: { stream: true }, signal })) {
      yield trusted<ContainerStatsResponse>(value);
    }
  }

  /** @param psArgs options of `ps`, divided by spaces; none for its default */
  async top(id: string, psArgs: string): Promise<ContainerTop> {
    const query = { ps_args: psArgs === "" ? undefined : psArgs };
    return trusted(await this.#caller.json({ method: "GET", path: `/containers/${segment(id)}/top`, query }));
  }

  async update(id: string, change: LimitChange): Promise<{ readonly Warnings: readonly string[] | null }> {
    const path = `/containers/${segment(id)}/update`;
    return trusted(await this.#caller.json({ method: "POST", path, json: change }));
  }
}
