import {
  ApiCaller,
  type ApiCallerOptions,
  type HijackedStream,
  readJson,
  type RequestOptions,
} from "./api-caller.ts";
import type { ContainerInspect } from "./container-inspect.ts";
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainerPruneReport,
  ContainerSummary,
  ContainerWaitResponse,
  WaitCondition,
} from "./containers.ts";
import type { ExecCreateRequest, ExecInspect, ExecStartRequest, IdResponse } from "./exec.ts";
import { FileCalls } from "./file-calls.ts";
import { ImageCalls } from "./image-calls.ts";
import { NetworkCalls } from "./network-calls.ts";
import { encodeFilters, segment, trusted } from "./request-parts.ts";
import { SystemCalls } from "./system-calls.ts";
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
  readonly images: ImageCalls;
  readonly volumes: VolumeCalls;
  readonly networks: NetworkCalls;
  readonly system: SystemCalls;
  readonly watch: WatchCalls;
  readonly #caller: ApiCaller;

  constructor(options: ApiCallerOptions) {
    this.#caller = new ApiCaller(options);
    this.files = new FileCalls(this.#caller);
    this.images = new ImageCalls(this.#caller);
    this.system = new SystemCalls(this.#caller);
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

  async #json<T>(
    method: string,
    path: string,
    more: Pick<RequestOptions, "query" | "json"> = {},
  ): Promise<T> {
    return trusted<T>(await this.#caller.json({ method, path, ...more }));
  }

  #post(path: string, query?: RequestOptions["query"]): Promise<"done" | "not-modified"> {
    return this.#caller.empty({ method: "POST", path, query });
  }
}
