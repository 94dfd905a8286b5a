import { ApiCaller, type ApiCallerOptions, type HijackedStream, readJson } from "./api-caller.ts";
import type { ContainerInspect } from "./container-inspect.ts";
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerPruneReport,
  ContainerSummary,
  ContainerWaitResponse,
  WaitCondition,
} from "./containers.ts";
import type { EventMessage } from "./events.ts";
import type { ExecCreateRequest, ExecInspect, ExecStartRequest, IdResponse } from "./exec.ts";
import type { Query } from "./http-call.ts";
import type {
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  ProgressMessage,
} from "./images.ts";
import { FileCalls } from "./file-calls.ts";
import { NetworkCalls } from "./network-calls.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";
import type { SystemInfo, SystemVersion } from "./system.ts";
import { VolumeCalls } from "./volume-calls.ts";
import { WatchCalls } from "./watch-calls.ts";

/** `{"status": ["running", "paused"]}` */
export type Filters = Readonly<Record<string, readonly string[]>>;

export interface AttachOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly logs?: boolean;
  readonly detachKeys?: string | undefined;
}

export interface LogsOptions {
  readonly follow?: boolean | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly timestamps?: boolean | undefined;
  readonly tail?: string | undefined;
  readonly details?: boolean | undefined;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The Engine API as typed calls. Every call has its own connection; calls throw `ApiError` with the engine's message,
 * and `EngineError` of kind `unavailable` when none answers. `signal` ends a call early.
 */
export class EngineClient {
  readonly files: FileCalls;
  readonly volumes: VolumeCalls;
  readonly networks: NetworkCalls;
  readonly watch: WatchCalls;
  readonly #caller: ApiCaller;

  constructor(options: ApiCallerOptions) {
    this.#caller = new ApiCaller(options);
    this.files = new FileCalls(this.#caller);
    this.volumes = new VolumeCalls(this.#caller);
    this.networks = new NetworkCalls(this.#caller);
    this.watch = new WatchCalls(this.#caller);
  }

  createContainer(
    request: ContainerCreateRequest,
    options: { name?: string | undefined; platform?: string | undefined } = {},
  ): Promise<ContainerCreateResponse> {
    return this.#json("POST", "/containers/create", { query: { ...options }, json: request });
  }

  async startContainer(id: string, detachKeys?: string): Promise<void> {
    await this.#post(`/containers/${segment(id)}/start`, { detachKeys });
  }

  /** @returns `"not-modified"` when it was stopped already */
  stopContainer(id: string, query: { signal?: string | undefined; t?: number | undefined }): Promise<string> {
    return this.#post(`/containers/${segment(id)}/stop`, query);
  }

  async restartContainer(
    id: string,
    query: { signal?: string | undefined; t?: number | undefined },
  ): Promise<void> {
    await this.#post(`/containers/${segment(id)}/restart`, query);
  }

  async killContainer(id: string, signal: string | undefined): Promise<void> {
    await this.#post(`/containers/${segment(id)}/kill`, { signal });
  }

  async renameContainer(id: string, name: string): Promise<void> {
    await this.#post(`/containers/${segment(id)}/rename`, { name });
  }

  async pauseContainer(id: string): Promise<void> {
    await this.#post(`/containers/${segment(id)}/pause`);
  }

  async unpauseContainer(id: string): Promise<void> {
    await this.#post(`/containers/${segment(id)}/unpause`);
  }

  async removeContainer(id: string, query: { force?: boolean; v?: boolean; link?: boolean }): Promise<void> {
    await this.#caller.empty({ method: "DELETE", path: `/containers/${segment(id)}`, query });
  }

  pruneContainers(filters: Filters): Promise<ContainerPruneReport> {
    return this.#json("POST", "/containers/prune", { query: { filters: encodeFilters(filters) } });
  }

  async resizeContainer(id: string, size: TerminalSize): Promise<void> {
    await this.#post(`/containers/${segment(id)}/resize`, { h: size.rows, w: size.columns });
  }

  inspectContainer(id: string): Promise<ContainerInspect> {
    return this.#json("GET", `/containers/${segment(id)}/json`);
  }

  /** The document as the engine wrote it, for `inspect`. */
  inspectContainerRaw(id: string, query: { size?: boolean }): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/containers/${segment(id)}/json`, query });
  }

  listContainers(
    query: { all?: boolean; limit?: number | undefined; size?: boolean },
    filters: Filters = {},
  ): Promise<ContainerSummary[]> {
    return this.#json("GET", "/containers/json", { query: { ...query, filters: encodeFilters(filters) } });
  }

  /**
   * Resolves when the engine has the request (its headers are read), so that a start after it is not missed; `result`
   * is the exit.
   */
  async waitContainer(
    id: string,
    condition?: WaitCondition,
    signal?: AbortSignal,
  ): Promise<{ readonly result: Promise<ContainerWaitResponse> }> {
    const path = `/containers/${segment(id)}/wait`;
    const answer = await this.#caller.send({ method: "POST", path, query: { condition }, signal });
    return { result: readJson(answer).then(trusted<ContainerWaitResponse>) };
  }

  attachContainer(id: string, options: AttachOptions, signal?: AbortSignal): Promise<HijackedStream> {
    const query = { stream: true, ...options };
    return this.#caller.hijack({ method: "POST", path: `/containers/${segment(id)}/attach`, query, signal });
  }

  async *containerLogs(id: string, options: LogsOptions): AsyncGenerator<Uint8Array, void> {
    const query = { stdout: true, stderr: true, ...options };
    const answer = await this.#caller.send({ method: "GET", path: `/containers/${segment(id)}/logs`, query });
    yield* answer.body;
  }

  createExec(id: string, request: ExecCreateRequest): Promise<IdResponse> {
    return this.#json("POST", `/containers/${segment(id)}/exec`, { json: request });
  }

  startExec(id: string, request: ExecStartRequest): Promise<HijackedStream> {
    return this.#caller.hijack({ method: "POST", path: `/exec/${segment(id)}/start`, json: request });
  }

  async startExecDetached(id: string, request: ExecStartRequest): Promise<void> {
    const json = { ...request, Detach: true };
    await this.#caller.empty({ method: "POST", path: `/exec/${segment(id)}/start`, json });
  }

  inspectExec(id: string): Promise<ExecInspect> {
    return this.#json("GET", `/exec/${segment(id)}/json`);
  }

  async resizeExec(id: string, size: TerminalSize): Promise<void> {
    await this.#post(`/exec/${segment(id)}/resize`, { h: size.rows, w: size.columns });
  }

  listImages(query: { all?: boolean; digests?: boolean }, filters: Filters = {}): Promise<ImageSummary[]> {
    return this.#json("GET", "/images/json", { query: { ...query, filters: encodeFilters(filters) } });
  }

  inspectImage(name: string): Promise<ImageInspect> {
    return this.#json("GET", `/images/${imageName(name)}/json`);
  }

  /** The document as the engine wrote it, for `inspect`. */
  inspectImageRaw(name: string, query: { platform?: string | undefined } = {}): Promise<unknown> {
    return this.#caller.json({ method: "GET", path: `/images/${imageName(name)}/json`, query });
  }

  imageHistory(name: string, query: { platform?: string | undefined }): Promise<ImageHistoryItem[]> {
    return this.#json("GET", `/images/${imageName(name)}/history`, { query });
  }

  async tagImage(name: string, query: { repo: string; tag: string | undefined }): Promise<void> {
    await this.#post(`/images/${imageName(name)}/tag`, query);
  }

  removeImage(
    name: string,
    query: { force?: boolean; noprune?: boolean; platforms?: readonly string[] },
  ): Promise<ImageDeleteItem[]> {
    return this.#json("DELETE", `/images/${imageName(name)}`, { query });
  }

  pullImage(
    query: { fromImage: string; tag?: string | undefined; platform?: string | undefined },
    auth?: string,
    signal?: AbortSignal,
  ): AsyncIterable<ProgressMessage> {
    const headers: Record<string, string> = auth === undefined ? {} : { "X-Registry-Auth": auth };
    return this.#progress({ method: "POST", path: "/images/create", query, headers, signal });
  }

  /** `body` is the tar when `fromSrc` is `-`. */
  importImage(query: Query, body: AsyncIterable<Uint8Array> | undefined): AsyncIterable<ProgressMessage> {
    return this.#progress({ method: "POST", path: "/images/create", query, body, headers: tar(body) });
  }

  loadImages(
    query: { quiet?: boolean; platform?: readonly string[] },
    body: AsyncIterable<Uint8Array>,
  ): AsyncIterable<ProgressMessage> {
    return this.#progress({ method: "POST", path: "/images/load", query, body, headers: tar(body) });
  }

  async *saveImages(names: readonly string[], platform: readonly string[]): AsyncGenerator<Uint8Array, void> {
    const answer = await this.#caller.send({
      method: "GET",
      path: "/images/get",
      query: { names, platform },
    });
    yield* answer.body;
  }

  /** `context` is a tar; the body is left out when the engine fetches the context itself (`remote`). */
  buildImage(
    query: Query,
    context: AsyncIterable<Uint8Array> | undefined,
    signal?: AbortSignal,
  ): AsyncIterable<ProgressMessage> {
    return this.#progress({
      method: "POST",
      path: "/build",
      query,
      body: context,
      headers: tar(context),
      signal,
    });
  }

  version(): Promise<SystemVersion> {
    return this.#json("GET", "/version");
  }

  info(): Promise<SystemInfo> {
    return this.#json("GET", "/info");
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

  async #json<T>(method: string, path: string, more: { query?: Query; json?: unknown } = {}): Promise<T> {
    return trusted<T>(await this.#caller.json({ method, path, ...more }));
  }

  #post(path: string, query?: Query): Promise<"done" | "not-modified"> {
    return this.#caller.empty({ method: "POST", path, query });
  }

  async *#progress(request: Parameters<ApiCaller["lines"]>[0]): AsyncGenerator<ProgressMessage, void> {
    for await (const value of this.#caller.lines(request)) yield trusted<ProgressMessage>(value);
  }
}

/** An image name keeps its slashes and colons. */
function imageName(name: string): string {
  return name.split("/").map(segment).join("/").replaceAll("%3A", ":").replaceAll("%40", "@");
}

function tar(body: unknown): Record<string, string> {
  return body === undefined ? {} : { "Content-Type": "application/x-tar" };
}
