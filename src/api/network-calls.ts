import type { ApiCaller } from "./api-caller.ts";
import type { Filters } from "./client.ts";
import type {
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkPruneReport,
  NetworkSummary,
} from "./networks.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";

/** The calls of Engine API group Network. */
export class NetworkCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  async create(request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
    return trusted(await this.#caller.json({ method: "POST", path: "/networks/create", json: request }));
  }

  async list(filters: Filters = {}): Promise<readonly NetworkSummary[]> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "GET", path: "/networks", query }));
  }

  /** The document as the engine wrote it, for `inspect`. */
  inspectRaw(nameOrId: string, query: { verbose?: boolean } = {}): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/networks/${segment(nameOrId)}`, query });
  }

  async remove(nameOrId: string): Promise<void> {
    await this.#caller.empty({ method: "DELETE", path: `/networks/${segment(nameOrId)}` });
  }

  async prune(filters: Filters): Promise<NetworkPruneReport> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "POST", path: "/networks/prune", query }));
  }

  async connect(nameOrId: string, request: NetworkConnectRequest): Promise<void> {
    const path = `/networks/${segment(nameOrId)}/connect`;
    await this.#caller.empty({ method: "POST", path, json: request });
  }

  async disconnect(nameOrId: string, request: { Container: string; Force: boolean }): Promise<void> {
    const path = `/networks/${segment(nameOrId)}/disconnect`;
    await this.#caller.empty({ method: "POST", path, json: request });
  }
}
