import { EngineError, isErrno } from "#base/errors.ts";
import type { Logger } from "#base/log.ts";
import type { Guard } from "./auth/guard.ts";
import { Fault } from "./fault.ts";
import { type BlobSource, blobOperations } from "./handlers/blobs.ts";
import { catalogOperations, referrerOperations, tagOperations } from "./handlers/lists.ts";
import { type ManifestSource, manifestOperations } from "./handlers/manifests.ts";
import type { Operation, Operations } from "./handlers/operation.ts";
import { uploadOperations } from "./handlers/uploads.ts";
import type { Answer, Exchange } from "./http/exchange.ts";
import { Metrics, METRICS_TYPE } from "./http/metrics.ts";
import { parseTarget, type Target } from "./http/target.ts";
import type { Storage } from "./storage/storage.ts";

export interface RegistryOptions {
  readonly storage: Storage;
  readonly guard: Guard;
  readonly log: Logger;
  readonly isReadOnly?: boolean;
  readonly mayRemove?: boolean;
  readonly maxManifestBytes?: number;
  readonly maxBlobBytes: number;
  readonly maxUploads?: number;
  /** Where a pull-through cache gets what it has not; no client may change such a registry. */
  readonly source?: ManifestSource & BlobSource;
}

export const DEFAULT_MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
export const DEFAULT_MAX_UPLOADS = 64;

type AnyOperation = Operation<Target>;

/**
 * The registry as its clients see it: which operation a request asks for, whether it may, and what it is told. OCI
 * distribution-spec 1.1; `server.ts` puts it on the network, `storage/` keeps its files.
 */
export class Registry {
  readonly metrics = new Metrics();
  readonly #options: RegistryOptions;
  readonly #operations: Readonly<Record<Target["kind"], Operations<Target>>>;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#operations = this.#makeOperations();
    const { usage } = options.storage;
    this.metrics.gauge("storage_bytes", "Bytes of all blobs.", () => usage.totalBytes);
    this.metrics.gauge("storage_blobs", "Blobs held.", () => usage.blobCount);
  }

  /** Answers one request, whatever becomes of it. */
  async handle(exchange: Exchange): Promise<void> {
    const startedAt = performance.now();
    const facts = { route: "unknown", user: undefined as string | undefined };
    this.metrics.begun();
    try {
      await exchange.send(withCommonHeaders(await this.#answer(exchange, facts)));
    } catch (error) {
      if (!(error instanceof Fault) || error.status >= 500) this.#logFailure(exchange, error);
      await exchange.send(withCommonHeaders(answerTo(error)));
    } finally {
      const seconds = (performance.now() - startedAt) / 1000;
      const { method, status, received, sent } = exchange;
      this.metrics.ended({ route: facts.route, method, status, seconds, received, sent });
      this.#options.log.info("request", {
        method,
        path: exchange.path.slice(0, 1000),
        status,
        ms: Math.round(seconds * 1000),
        received,
        sent,
        remote: exchange.remoteAddress,
        ...(facts.user !== undefined && { user: facts.user }),
      });
    }
  }

  async #answer(exchange: Exchange, facts: { route: string; user: string | undefined }): Promise<Answer> {
    const target = parseTarget(exchange.path);
    if (target === undefined) throw new Fault("NAME_UNKNOWN", "there is nothing at this path");
    facts.route = target.kind;
    const operation = this.#operationFor(exchange.method, target);
    if (target.kind === "root" || target.kind === "health") {
      return await operation.handle(target, exchange, { user: undefined, readable: [] });
    }
    const permission = await this.#options.guard.check(
      exchange.header("authorization"),
      operation.needs(target),
    );
    facts.user = permission.user;
    return await operation.handle(target, exchange, permission);
  }

  #operationFor(method: string, target: Target): AnyOperation {
    const operations = this.#operations[target.kind];
    const operation = operations[method] ?? (method === "HEAD" ? operations["GET"] : undefined);
    if (operation === undefined) {
      const allowed = Object.keys(operations).join(", ");
      throw new Fault("UNSUPPORTED", `${method} is not for this path`, { headers: { Allow: allowed } });
    }
    const { isReadOnly = false, mayRemove = true, source } = this.#options;
    if (operation.isChange && source !== undefined) {
      throw new Fault("UNSUPPORTED", "this registry is a cache of another: push there");
    }
    if (operation.isChange && isReadOnly) throw new Fault("UNSUPPORTED", "this registry is read-only");
    if (operation.isRemoval && !mayRemove) throw new Fault("UNSUPPORTED", "this registry does not remove");
    return operation;
  }

  #makeOperations(): Readonly<Record<Target["kind"], Operations<Target>>> {
    const {
      storage,
      isReadOnly = false,
      maxManifestBytes = DEFAULT_MAX_MANIFEST_BYTES,
      source,
    } = this.#options;
    const { maxBlobBytes, maxUploads = DEFAULT_MAX_UPLOADS } = this.#options;
    const uploads = uploadOperations(storage, { maxBlobBytes, maxUploads });
    this.metrics.gauge("uploads_in_flight", "Bodies of blobs being taken.", uploads.active);
    // each is called with targets of its own kind only
    return {
      root: fixed(() => ({ kind: "empty", status: 200 })),
      health: fixed(() => ({ kind: "json", status: 200, value: { status: "ok" } })),
      metrics: fixed(() => ({
        kind: "bytes",
        status: 200,
        headers: { "Content-Type": METRICS_TYPE },
        bytes: new TextEncoder().encode(this.metrics.text()),
      })),
      base: fixed(() => ({ kind: "json", status: 200, value: {} })),
      catalog: catalogOperations(storage),
      tags: tagOperations(storage),
      manifest: manifestOperations(storage, { maxBytes: maxManifestBytes, isReadOnly, source }),
      blob: blobOperations(storage, { isReadOnly, source }),
      uploads: uploads.collection,
      upload: uploads.one,
      referrers: referrerOperations(storage),
    };
  }

  #logFailure(exchange: Exchange, error: unknown): void {
    this.#options.log.error("request failed", {
      method: exchange.method,
      path: exchange.path.slice(0, 1000),
      error,
    });
  }
}

function fixed(answer: () => Answer): Operations<Target> {
  return { GET: { needs: () => [], handle: async () => answer() } };
}

/** What is no fault of the client's is not explained to it. */
function answerTo(error: unknown): Answer {
  const fault = faultOf(error);
  const { code, message, detail } = fault;
  const value = { errors: [{ code, message, ...(detail !== undefined && { detail }) }] };
  return { kind: "json", status: fault.status, headers: fault.headers, value };
}

function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const isFull = isErrno(error, "ENOSPC", "EDQUOT") || EngineError.is(error, "unavailable");
  if (isFull) return new Fault("UNAVAILABLE", "the registry's disk is full", { status: 507, cause: error });
  return new Fault("UNKNOWN", "the registry failed; its log says how", { cause: error });
}

function withCommonHeaders(answer: Answer): Answer {
  const headers = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
    ...answer.headers,
  };
  return { ...answer, headers };
}
