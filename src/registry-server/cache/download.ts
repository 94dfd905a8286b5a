import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { EngineError } from "#base/errors.ts";
import type { Digest } from "#oci/digest.ts";
import { Ingest } from "#store/content/ingest.ts";
import type { ByteRange } from "../http/range.ts";
import { ifPresent } from "../storage/links.ts";

export interface DownloadParts {
  readonly blob: { readonly digest: Digest; readonly size: number };
  /** Where the bytes are gathered. */
  readonly path: string;
  /** The name that `adopt` gives them. */
  readonly target: string;
  readonly fetch: (offset: number, signal: AbortSignal) => AsyncIterable<Uint8Array>;
  /** Gives the whole, verified blob its name. */
  readonly adopt: (ingest: Ingest) => Promise<void>;
}

const CHUNK_BYTES = 512 * 1024;
/** How often the source may fail without having sent anything. */
const MAX_FAILURES = 3;

/**
 * One blob on its way from upstream, read by every client that wants it while it comes. It goes at the source's pace,
 * and stops with its last reader; what came is kept for the next. The last bytes are given out only when the whole has
 * been verified, so that a client never has a whole blob that is wrong.
 */
export class Download {
  readonly #parts: DownloadParts;
  readonly #stop = new AbortController();
  /** Ends, failed or not, with the download. */
  readonly ended: Promise<void>;
  #readers = 0;
  #readable = 0;
  #state: "coming" | "whole" | { readonly failure: unknown } = "coming";
  #changed = Promise.withResolvers<void>();

  constructor(parts: DownloadParts) {
    this.#parts = parts;
    this.ended = this.#run();
  }

  /** False once nobody waits for it: a new one must be begun when this one has ended. */
  get isOpen(): boolean {
    return !this.#stop.signal.aborted;
  }

  get size(): number {
    return this.#parts.blob.size;
  }

  /** The bytes of the range as they come. @throws what the download failed with */
  async *read({ start, end }: ByteRange): AsyncGenerator<Uint8Array, void, undefined> {
    this.#readers++;
    try {
      let position = start;
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      await this.#until(() => this.#readable > 0);
      await using file = await this.#open();
      while (position <= end) {
        await this.#until(() => this.#readable > position);
        const wanted = Math.min(CHUNK_BYTES, this.#readable - position, end - position + 1);
        const { bytesRead } = await file.read(buffer, 0, wanted, position);
        position += bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      this.#readers--;
      if (this.#readers === 0)
        this.#stop.abort(new EngineError("cancelled", "nobody waits for the blob any more"));
    }
  }

  async #run(): Promise<void> {
    const { blob, path, adopt } = this.#parts;
    try {
      // of another size by what an earlier manifest said
      if (((await ifPresent(stat(path)))?.size ?? 0) > blob.size) await rm(path);
      await using ingest = await Ingest.resume(path, blob);
      this.#gathered(ingest);
      await this.#fetch(ingest);
      await adopt(ingest);
      this.#readable = blob.size;
      this.#state = "whole";
    } catch (failure) {
      this.#state = { failure };
    }
    this.#tell();
  }

  /** Goes on after a cut, as long as each attempt brings something. */
  async #fetch(ingest: Ingest): Promise<void> {
    const { blob, fetch } = this.#parts;
    for (let failures = 0; ingest.offset < blob.size; ) {
      const before = ingest.offset;
      try {
        for await (const chunk of fetch(ingest.offset, this.#stop.signal)) {
          await ingest.append(chunk);
          this.#gathered(ingest);
        }
      } catch (error) {
        failures = ingest.offset > before ? 0 : failures + 1;
        this.#stop.signal.throwIfAborted();
        if (!EngineError.is(error, "unavailable") || failures >= MAX_FAILURES) throw error;
      }
    }
  }

  #gathered(ingest: Ingest): void {
    this.#readable = Math.max(0, Math.min(ingest.written, this.size - 1));
    this.#tell();
  }

  /** The file under whichever of its two names it has now. */
  async #open(): Promise<FileHandle> {
    const { path, target } = this.#parts;
    return (await ifPresent(open(path, "r"))) ?? (await open(target, "r"));
  }

  async #until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (typeof this.#state === "object") throw this.#state.failure;
      if (this.#state === "whole") return;
      await this.#changed.promise;
    }
  }

  #tell(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
