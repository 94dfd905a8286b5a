import type { ApiCaller } from "./api-caller.ts";
import type { Filters } from "./client.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";
import type { VolumeCreateRequest, VolumeDocument, VolumeList, VolumePruneReport } from "./volumes.ts";

/** The calls of Engine API group Volume. */
export class VolumeCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  async create(request: VolumeCreateRequest): Promise<VolumeDocument> {
    return trusted(await this.#caller.json({ method: "POST", path: "/volumes/create", json: request }));
  }

  async list(filters: Filters = {}): Promise<VolumeList> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "GET", path: "/volumes", query }));
  }

  /** The document as the engine wrote it, for `inspect`. */
  inspectRaw(name: string): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/volumes/${segment(name)}` });
  }

  async remove(name: string, query: { force: boolean }): Promise<void> {
    await this.#caller.empty({ method: "DELETE", path: `/volumes/${segment(name)}`, query });
  }

  async prune(filters: Filters): Promise<VolumePruneReport> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "POST", path: "/volumes/prune", query }));
  }
}
