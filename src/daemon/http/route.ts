import type { ApiVersion } from "#api/version.ts";
import { EngineError } from "#base/errors.ts";

/** One request, decoded as far as HTTP goes. */
export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  /** The version in the path, or the newest when there is none. */
  readonly apiVersion: ApiVersion;
  readonly query: URLSearchParams;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** Fires when the client goes away. */
  readonly signal: AbortSignal;
  /** A `{name}` of the route's path, URL-decoded. `{name}` as the whole middle of a path may hold slashes. */
  readonly param: (name: string) => string;
  /**
   * The JSON body; `undefined` when empty.
   *
   * @throws {EngineError} invalid for another content type, text after the JSON, or too many bytes
   */
  readonly json: () => Promise<unknown>;
  /** The raw body, once. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Answers, and takes the connection over; the handler then returns `HIJACKED`. */
  readonly hijack: (options: HijackOptions) => Promise<HijackedConnection>;
}

export type HijackOptions =
  /** 101 (asked to upgrade) or 200. Content type by the rules of attach: `framed` says the output is multiplexed. */
  | { readonly framed: boolean; readonly commonHeaders: boolean }
  /** 101 to the protocol named, which the request has asked for. */
  | { readonly protocol: string; readonly headers: Readonly<Record<string, string>> };

/** A connection that has left HTTP behind. */
export interface HijackedConnection {
  /** What the client sends; ends at its half-close. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when the bytes are on their way (back-pressure). Rejects when the client has gone. */
  write(data: Uint8Array): Promise<void>;
  /** Half-closes: output has ended. */
  end(): Promise<void>;
}

/** A body written while it is made; every write is flushed. */
export interface BodyWriter {
  write(data: Uint8Array | string): Promise<void>;
}

export type Reply =
  | { readonly kind: "empty"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | {
      readonly kind: "json";
      readonly status: number;
      readonly body: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "text";
      readonly status: number;
      readonly body: string;
      readonly contentType: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Status and headers go out at once; an error thrown by `write` ends the connection. */
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly contentType: string;
      readonly headers?: Readonly<Record<string, string>>;
      write(body: BodyWriter): Promise<void>;
    }
  | { readonly kind: "hijacked" };

export interface Route {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "DELETE";
  /** `/containers/{id}/json`; `{name...}` may hold slashes. */
  readonly path: string;
  /** Why this engine has no more than the refusal that `handle` gives; not set for an endpoint that does its work. */
  readonly missing?: { readonly isPlanned: boolean; readonly why: string };
  handle(request: RouteRequest): Promise<Reply>;
}

export const NO_CONTENT: Reply = { kind: "empty", status: 204 };
export const NOT_MODIFIED: Reply = { kind: "empty", status: 304 };
export const HIJACKED: Reply = { kind: "hijacked" };

/** An endpoint of the API that answers 501. @param hint what to use instead */
export function notYet(
  method: Route["method"],
  path: string,
  options: { readonly missing: string; readonly hint: string; readonly isPlanned?: boolean },
): Route {
  const { missing: why, hint, isPlanned = true } = options;
  const refusal = new EngineError("unsupported", `Cannot ${method} ${path}: ${why}`, { hint });
  return { method, path, missing: { isPlanned, why }, handle: () => Promise.reject(refusal) };
}

export function json(body: unknown, status = 200): Reply {
  return { kind: "json", status, body };
}
