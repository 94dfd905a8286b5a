import type { ApiCaller, RequestOptions } from "./api-caller.ts";
import type { Filters } from "./client.ts";
import type { Query } from "./http-call.ts";
import type {
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImagePruneReport,
  ImageSearchItem,
  ImageSummary,
  ProgressMessage,
} from "./images.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";

export interface ImageListQuery {
  readonly all?: boolean;
  readonly digests?: boolean;
  readonly manifests?: boolean;
  readonly "shared-size"?: boolean;
}

export interface PullQuery {
  readonly fromImage: string;
  /** A tag or a digest; absent: every tag. */
  readonly tag?: string | undefined;
  readonly platform?: string | undefined;
}

/**
 * The calls of Engine API group Image, and `POST /build`. `auth` and `config` are the values of `X-Registry-Auth` and
 * `X-Registry-Config`; without them nobody signs in.
 */
export class ImageCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  async list(query: ImageListQuery, filters: Filters = {}): Promise<readonly ImageSummary[]> {
    const all = { ...query, filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "GET", path: "/images/json", query: all }));
  }

  async inspect(name: string): Promise<ImageInspect> {
    return trusted(await this.inspectRaw(name));
  }

  /** The document as the engine wrote it, for `inspect`. @param query platform: JSON of an OCI platform */
  inspectRaw(name: string, query: { platform?: string | undefined } = {}): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/images/${imageName(name)}/json`, query });
  }

  /** @param query platform: JSON of an OCI platform */
  async history(
    name: string,
    query: { platform?: string | undefined },
  ): Promise<readonly ImageHistoryItem[]> {
    const path = `/images/${imageName(name)}/history`;
    return trusted(await this.#caller.json({ method: "GET", path, query }));
  }

  async tag(name: string, query: { repo: string; tag: string | undefined }): Promise<void> {
    await this.#caller.empty({ method: "POST", path: `/images/${imageName(name)}/tag`, query });
  }

  /** @param query platforms: JSON of OCI platforms */
  async remove(
    name: string,
    query: { force?: boolean; noprune?: boolean; platforms?: readonly string[] },
  ): Promise<readonly ImageDeleteItem[]> {
    const path = `/images/${imageName(name)}`;
    return trusted(await this.#caller.json({ method: "DELETE", path, query }));
  }

  async prune(filters: Filters): Promise<ImagePruneReport> {
    const query = { filters: encodeFilters(filters) };
    return trusted(await this.#caller.json({ method: "POST", path: "/images/prune", query }));
  }

  pull(query: PullQuery, auth?: string, signal?: AbortSignal): AsyncIterable<ProgressMessage> {
    const headers = authHeader(auth);
    return this.#progress({ method: "POST", path: "/images/create", query: { ...query }, headers, signal });
  }

  /**
   * @param name without its tag
   * @param query tag absent: every tag; platform: JSON of an OCI platform
   */
  push(
    name: string,
    query: { tag?: string | undefined; platform?: string | undefined },
    auth?: string,
  ): AsyncIterable<ProgressMessage> {
    const path = `/images/${imageName(name)}/push`;
    // The engine wants the header even when nobody signs in: `{}`.
    return this.#progress({ method: "POST", path, query, headers: authHeader(auth ?? "e30=") });
  }

  async search(
    query: { term: string; limit?: number | undefined },
    filters: Filters,
    auth?: string,
  ): Promise<readonly ImageSearchItem[]> {
    const all = { ...query, filters: encodeFilters(filters) };
    const headers = authHeader(auth);
    return trusted(await this.#caller.json({ method: "GET", path: "/images/search", query: all, headers }));
  }

  /** `body` is the tar when `fromSrc` is `-`. */
  import(query: Query, body: AsyncIterable<Uint8Array> | undefined): AsyncIterable<ProgressMessage> {
    return this.#progress({ method: "POST", path: "/images/create", query, body, headers: tar(body) });
  }

  /** @param query platform: JSON of OCI platforms */
  load(
    query: { quiet?: boolean; platform?: readonly string[] },
    body: AsyncIterable<Uint8Array>,
  ): AsyncIterable<ProgressMessage> {
    return this.#progress({ method: "POST", path: "/images/load", query, body, headers: tar(body) });
  }

  /** @param platform JSON of OCI platforms */
  async *save(names: readonly string[], platform: readonly string[]): AsyncGenerator<Uint8Array, void> {
    const query = { names, platform };
    const answer = await this.#caller.send({ method: "GET", path: "/images/get", query });
    yield* answer.body;
  }

  /** `context` is a tar; the body is left out when the engine fetches the context itself (`remote`). */
  build(
    query: Query,
    context: AsyncIterable<Uint8Array> | undefined,
    config?: string,
  ): AsyncIterable<ProgressMessage> {
    const headers = { ...tar(context), ...(config !== undefined && { "X-Registry-Config": config }) };
    return this.#progress({ method: "POST", path: "/build", query, body: context, headers });
  }

  async *#progress(request: RequestOptions): AsyncGenerator<ProgressMessage, void> {
    for await (const value of this.#caller.lines(request)) yield trusted<ProgressMessage>(value);
  }
}

/** An image name keeps its slashes and colons. */
function imageName(name: string): string {
  return name.split("/").map(segment).join("/").replaceAll("%3A", ":").replaceAll("%40", "@");
}

function authHeader(auth: string | undefined): Record<string, string> {
  return auth === undefined ? {} : { "X-Registry-Auth": auth };
}

function tar(body: unknown): Record<string, string> {
  return body === undefined ? {} : { "Content-Type": "application/x-tar" };
}
