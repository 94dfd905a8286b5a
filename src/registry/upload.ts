import { setTimeout as pause } from "node:timers/promises";
import { EngineError } from "#base/errors.ts";
import { type Digest, Digester, findDigest } from "#oci/digest.ts";
import { discard } from "./bounded-body.ts";
import { after, firstOf, hashed, measure } from "./byte-streams.ts";
import { describeFailure, readRefusal, refusalError } from "./failure.ts";
import { pushScope } from "./manifests.ts";
import type { HostRequest, RegistryHost } from "./registry-host.ts";
import type { SentBody } from "./transport.ts";

/** The digest and size of a blob. */
export interface BlobIdentity {
  readonly digest: Digest;
  readonly size: number;
}

/** What is uploaded. */
export interface UploadSource {
  /** When it is known before the bytes are made. */
  readonly expected?: BlobIdentity | undefined;
  /** The bytes from `offset` on; the same whenever they are asked for. */
  open(offset: number): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
  /** A repository of the same registry that has the blob: where its digest is known, it is tried to have it from there first. */
  readonly mountFrom?: string | undefined;
  /** Told how many bytes are on their way or there. */
  readonly sent?: (bytes: number) => void;
  /** Before the second attempt; doubled for each further one. */
  readonly retryDelayMs?: number;
}

/** An upload that the registry has begun: where to, and how much of it is there. */
interface Session {
  readonly location: URL;
  readonly offset: number;
  /** The registry takes no smaller chunks, except for the last. */
  readonly minChunk: number;
}

const ATTEMPTS = 5;
const RETRY_DELAY_MS = 500;
/** Of an upload in chunks, where a registry does not take a blob at once. */
const CHUNK_BYTES = 16 * 1024 * 1024;
/** A registry that answers so cannot take a body of this form; another may do. */
const WRONG_FORM = [400, 404, 405, 411, 413, 415, 416, 501];

/**
 * One blob on its way into a repository. OCI distribution-spec, "Pushing Blobs". A blob whose digest is known goes in one
 * request (`POST`, `PUT`); one whose digest is not goes in a stream (`POST`, `PATCH`, `PUT`); where a registry does not
 * take the one, another is tried. After a cut it goes on from where the registry says it got to.
 */
export class Upload {
  readonly #host: RegistryHost;
  readonly #repository: string;
  readonly #source: UploadSource;
  readonly #options: UploadOptions;
  #expected: BlobIdentity | undefined;
  #form: "whole" | "chunks" | "stream";

  constructor(
    place: { readonly host: RegistryHost; readonly repository: string },
    source: UploadSource,
    options: UploadOptions = {},
  ) {
    this.#host = place.host;
    this.#repository = place.repository;
    this.#source = source;
    this.#options = options;
    this.#expected = source.expected;
    this.#form = source.expected ? "whole" : "stream";
  }

  /** @throws {EngineError} unauthorized; unavailable after five attempts; invalid or corrupt when the blob is refused */
  async run(signal: AbortSignal): Promise<BlobIdentity> {
    let session: Session | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        session ??= await this.#start(signal);
        return await this.#send(session, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!EngineError.is(error, "unavailable") || attempt >= ATTEMPTS) throw error;
        const { retryDelayMs = RETRY_DELAY_MS } = this.#options;
        await pause(retryDelayMs * 2 ** (attempt - 1), undefined, { signal });
        session = session && (await this.#resume(session, signal));
      }
    }
  }

  async #start(signal: AbortSignal): Promise<Session> {
    const response = await this.#request(
      { method: "POST", path: `${this.#repository}/blobs/uploads/`, scopes: pushScope(this.#repository) },
      signal,
    );
    if (response.status !== 202) throw await this.#failure(response);
    return await this.#sessionOf(response, signal);
  }

  async #send(session: Session, signal: AbortSignal): Promise<BlobIdentity> {
    if (this.#expected === undefined) return await this.#sendStream(session, signal);
    if (this.#form === "whole" && session.offset === 0)
      return await this.#sendWhole(session, this.#expected, signal);
    return await this.#sendChunks(session, this.#expected, signal);
  }

  async #sendWhole(session: Session, blob: BlobIdentity, signal: AbortSignal): Promise<BlobIdentity> {
    const body = (): SentBody => ({ bytes: this.#counted(this.#source.open(0), 0), size: blob.size });
    const response = await this.#put(session, blob, body, signal);
    if (response.status === 201) return await this.#done(response, blob);
    return await this.#otherForm(response, signal);
  }

  async #sendChunks(begun: Session, blob: BlobIdentity, signal: AbortSignal): Promise<BlobIdentity> {
    let session = begun;
    while (session.offset < blob.size) {
      const from = session.offset;
      // what is left after a cut goes at once
      const length = this.#form === "whole" ? blob.size : Math.max(CHUNK_BYTES, session.minChunk);
      const end = Math.min(blob.size, from + length);
      const bytes = (): SentBody => ({
        bytes: this.#counted(firstOf(this.#source.open(from), end - from), from),
        size: end - from,
      });
      const response = await this.#patch(session, { "Content-Range": `${from}-${end - 1}` }, bytes, signal);
      if (response.status !== 202) return await this.#otherForm(response, signal);
      session = { ...(await this.#sessionOf(response, signal)), minChunk: session.minChunk };
      if (session.offset <= from) throw this.#stuck(from);
    }
    const response = await this.#put(session, blob, () => new Uint8Array(), signal);
    if (response.status !== 201) throw await this.#failure(response);
    return await this.#done(response, blob);
  }

  async #sendStream(session: Session, signal: AbortSignal): Promise<BlobIdentity> {
    let digester = new Digester();
    const body = (): SentBody => {
      digester = new Digester();
      return {
        bytes: this.#counted(after(hashed(this.#source.open(0), digester), session.offset), session.offset),
        size: undefined,
      };
    };
    const response = await this.#patch(session, {}, body, signal);
    if (response.status !== 202) {
      await this.#refuseUnlessForm(response);
      this.#expected = await measure(this.#source.open(0), signal);
      this.#form = "whole";
      return await this.#send(await this.#start(signal), signal);
    }
    const next = await this.#sessionOf(response, signal);
    const blob = { digest: digester.digest(), size: digester.size };
    const answer = await this.#put(next, blob, () => new Uint8Array(), signal);
    if (answer.status !== 201) throw await this.#failure(answer);
    return await this.#done(answer, blob);
  }

  /** A form the registry does not take: the other one, once. */
  async #otherForm(response: Response, signal: AbortSignal): Promise<BlobIdentity> {
    await this.#refuseUnlessForm(response);
    if (this.#form !== "whole")
      throw new EngineError(
        "invalid",
        `${this.#attempt()}: ${this.#host.name} takes it neither at once nor in chunks`,
      );
    this.#form = "chunks";
    return await this.#send(await this.#start(signal), signal);
  }

  async #refuseUnlessForm(response: Response): Promise<void> {
    const refusal = await readRefusal(response);
    const isForm = WRONG_FORM.includes(refusal.status) && !refusal.codes.includes("DIGEST_INVALID");
    if (!isForm) throw refusalError(refusal, this.#attempt());
  }

  /** Where a cut upload stands; `undefined` when the registry knows nothing of it any more. */
  async #resume(session: Session, signal: AbortSignal): Promise<Session | undefined> {
    try {
      const response = await this.#request(
        { path: session.location, scopes: pushScope(this.#repository) },
        signal,
      );
      if (response.status === 204 || response.status === 202) {
        const next = await this.#sessionOf(response, signal, session.location);
        return { ...next, minChunk: session.minChunk };
      }
      await discard(response);
      return undefined;
    } catch (error) {
      signal.throwIfAborted();
      // the next attempt finds out whether anybody is there
      if (!EngineError.is(error, "unavailable")) throw error;
      return undefined;
    }
  }

  async #put(
    { location }: Session,
    { digest }: BlobIdentity,
    body: NonNullable<HostRequest["body"]>,
    signal: AbortSignal,
  ): Promise<Response> {
    const headers = { "Content-Type": "application/octet-stream" };
    const request = { method: "PUT", path: location, query: { digest }, headers, body } as const;
    return await this.#request({ ...request, scopes: pushScope(this.#repository) }, signal);
  }

  async #patch(
    { location }: Session,
    range: Readonly<Record<string, string>>,
    body: NonNullable<HostRequest["body"]>,
    signal: AbortSignal,
  ): Promise<Response> {
    const headers = { "Content-Type": "application/octet-stream", ...range };
    const request = { method: "PATCH", path: location, headers, body } as const;
    return await this.#request({ ...request, scopes: pushScope(this.#repository) }, signal);
  }

  async #request(request: HostRequest, signal: AbortSignal): Promise<Response> {
    return await this.#host.request(request, signal);
  }

  async #sessionOf(response: Response, signal: AbortSignal, before?: URL): Promise<Session> {
    const location = response.headers.get("location");
    const end = /^(?:bytes=)?0-(\d{1,15})$/.exec(response.headers.get("range") ?? "")?.[1];
    const minChunk = Number(/^\d{1,10}$/.exec(response.headers.get("oci-chunk-min-length") ?? "")?.[0] ?? 0);
    await discard(response);
    const target = location === null ? before : await this.#host.locate(location, signal);
    if (target === undefined)
      throw new EngineError("invalid", `${this.#attempt()}: ${this.#host.name} does not say where to`);
    // `0-0` is what registries say of nothing
    const offset = end === undefined || end === "0" ? 0 : Number(end) + 1;
    return { location: target, offset, minChunk };
  }

  async #done(response: Response, blob: BlobIdentity): Promise<BlobIdentity> {
    const said = findDigest(response.headers.get("docker-content-digest") ?? "");
    await discard(response);
    if (said !== undefined && said.startsWith("sha256:") && said !== blob.digest) {
      throw new EngineError(
        "corrupt",
        `${this.#attempt()}: ${this.#host.name} has stored ${said} in its place`,
      );
    }
    return blob;
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>, start: number): AsyncGenerator<Uint8Array> {
    let position = start;
    for await (const chunk of chunks) {
      yield chunk;
      position += chunk.byteLength;
      this.#options.sent?.(position);
    }
  }

  async #failure(response: Response): Promise<EngineError> {
    return await describeFailure(response, this.#attempt());
  }

  #attempt(): string {
    return `Cannot upload ${this.#expected?.digest ?? "a layer"} to ${this.#repository}`;
  }

  #stuck(offset: number): EngineError {
    return new EngineError("unavailable", `${this.#attempt()}: ${this.#host.name} stays at byte ${offset}`);
  }
}
