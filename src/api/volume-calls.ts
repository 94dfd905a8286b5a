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

  /** The content as a tar, paths relative to the volume's root. Our own, not in Docker's API. */
  async *export(name: string): AsyncGenerator<Uint8Array, void> {
    const answer = await this.#caller.send({ method: "GET", path: `/volumes/${segment(name)}/export` });
    yield* answer.body;
  }

  /** Fills a volume, made if need be, from a tar. Our own. @param replaces what it holds; else it must be empty */
  async import(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    { replaces = false }: { readonly replaces?: boolean } = {},
  ): Promise<void> {
    const path = `/volumes/${segment(name)}/import`;
    const headers = { "Content-Type": "application/x-tar" };
    await this.#caller.empty({ method: "POST", path, query: { replace: replaces }, body: archive, headers });
  }

  /** Makes the volume `copy` with the content of `name`. Our own. */
  async clone(name: string, copy: string): Promise<void> {
    const path = `/volumes/${segment(name)}/clone`;
    await this.#caller.empty({ method: "POST", path, query: { name: copy } });
  }

  /** Our own. */
  async rename(name: string, newName: string): Promise<void> {
    const path = `/volumes/${segment(name)}/rename`;
    await this.#caller.empty({ method: "POST", path, query: { name: newName } });
  }

  async prune(filters: Filters): Promise<VolumePruneReport> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "POST", path: "/volumes/prune", query }));
  }
}
