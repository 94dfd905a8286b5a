import type { ApiCaller } from "./api-caller.ts";
import type { Filters } from "./client.ts";
import type { NetworkSummary } from "./networks.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";

/** The calls of Engine API group Network. */
export class NetworkCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  async list(filters: Filters = {}): Promise<readonly NetworkSummary[]> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "GET", path: "/networks", query }));
  }

  /** The document as the engine wrote it, for `inspect`. */
  inspectRaw(nameOrId: string, query: { verbose?: boolean } = {}): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/networks/${segment(nameOrId)}`, query });
  }
}
