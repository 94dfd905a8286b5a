import { EngineError } from "#base/errors.ts";
import type { Dial } from "./dial.ts";
import type { Host } from "./host.ts";
import { type Answer, type CallOptions, call } from "./http-call.ts";
import { jsonLines } from "./json-lines.ts";
import type { ApiVersion } from "./version.ts";

export interface ApiCallerOptions {
  readonly host: Host;
  readonly dial: Dial;
  /** Pins the version; without it the engine's newest is spoken (a path without prefix), which needs no `_ping`. */
  readonly apiVersion?: ApiVersion | undefined;
}

export interface RequestOptions extends Omit<CallOptions, "body"> {
  readonly body?: AsyncIterable<Uint8Array> | undefined;
  /** Sent as JSON; `undefined` sends no body. */
  readonly json?: unknown;
}

/** A connection that has left HTTP behind. */
export interface HijackedStream {
  readonly output: AsyncIterable<Uint8Array>;
  /** Whether the engine said that `output` is framed; `undefined` from engines below API 1.42, which do not say. */
  readonly isFramed: boolean | undefined;
  write(data: Uint8Array): Promise<void>;
  /** Half-closes: the container's stdin has ended; output goes on. */
  endInput(): void;
  close(): void;
}

/** An answer larger than this is no list of containers. */
const MAX_JSON_BYTES = 256 * 1024 * 1024;

/** The ways in which Engine API calls answer: JSON, nothing, bytes, JSON lines, a raw connection. */
export class ApiCaller {
  readonly #options: ApiCallerOptions;

  constructor(options: ApiCallerOptions) {
    this.#options = options;
  }

  /** @throws {ApiError} for status 400 and more */
  async send(request: RequestOptions): Promise<Answer> {
    const { json, body, ...rest } = request;
    const version = this.#options.apiVersion;
    return await call(this.#options, {
      ...rest,
      path: version ? `/v${version.toString()}${request.path}` : request.path,
      headers: { ...(json === undefined ? {} : { "Content-Type": "application/json" }), ...request.headers },
      body: json === undefined ? body : new TextEncoder().encode(JSON.stringify(json)),
    });
  }

  /** Decoded JSON. @throws {EngineError} corrupt when it is none */
  async json(request: RequestOptions): Promise<unknown> {
    return await readJson(await this.send(request));
  }

  /** For answers without a body; `"not-modified"` for 304. */
  async empty(request: RequestOptions): Promise<"done" | "not-modified"> {
    const answer = await this.send(request);
    await drain(answer.body);
    return answer.head.status === 304 ? "not-modified" : "done";
  }

  /** Values of a stream as they arrive; the request is sent when the first is asked for. */
  async *lines(request: RequestOptions): AsyncGenerator<unknown, void> {
    const answer = await this.send(request);
    yield* jsonLines(answer.body);
  }

  async hijack(request: RequestOptions): Promise<HijackedStream> {
    const answer = await this.send({ ...request, upgrade: true });
    const { connection } = answer;
    const type = answer.head.headers.get("content-type");
    return {
      output: answer.raw(),
      isFramed: type === "application/vnd.docker.multiplexed-stream" ? true : undefined,
      write: (data) => connection.write(data),
      endInput: () => connection.end(),
      close: () => connection.destroy(),
    };
  }
}

/** The whole body of `answer` as JSON. */
export async function readJson(answer: Answer): Promise<unknown> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_JSON_BYTES)
      throw new EngineError("corrupt", "Cannot read the engine's answer: it is too large");
  }
  try {
    return JSON.parse(text + decoder.decode()) as unknown;
  } catch (error) {
    throw new EngineError("corrupt", `Cannot read the engine's answer: "${text.slice(0, 80)}" is not JSON`, {
      cause: error,
    });
  }
}

async function drain(body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of body) {
    // A 2xx without a meaning of its own.
  }
}
