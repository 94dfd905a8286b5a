import { createHash } from "node:crypto";
import { shortId } from "#base/ids.ts";
import type { Digest } from "#oci/digest.ts";
import type { Step } from "./graph/stage-result.ts";
import type { SolveEvent } from "./solver/events.ts";

/** Takes text for the person who builds; a promise it returns is waited for before more comes. */
export type WriteText = (text: string) => void | Promise<void>;

/** Output that is kept for a step whose turn has not come; what is beyond is dropped, and that is said. */
const MAX_HELD = 1024 * 1024;

/** How far a vertex is. */
interface Progress {
  isCached: boolean;
  isRunning: boolean;
  isFinished: boolean;
  reason: string | undefined;
  held: string;
  isClipped: boolean;
  readonly decoder: TextDecoder;
}

/**
 * The text of Docker's classic builder: `Step 1/5 : FROM debian`, ` ---> Using cache`, ` ---> Running in …`. Steps are
 * told in the order of the file, though they run side by side: what a later one says is held until its turn.
 */
export class ClassicStream {
  readonly #steps: readonly Step[];
  readonly #write: WriteText;
  readonly #progress = new Map<Digest, Progress>();
  #current = 0;
  /** Of the current step: its heading, and the line that it runs, are out. */
  #isHeaded = false;
  #isAnnounced = false;
  #lastId = "";

  constructor(steps: readonly Step[], write: WriteText) {
    this.#steps = steps;
    this.#write = write;
  }

  async take(event: SolveEvent): Promise<void> {
    const progress = this.#of(event.vertex.digest);
    switch (event.kind) {
      case "hit":
        progress.isCached = true;
        progress.isFinished = true;
        break;
      case "miss":
        progress.reason = event.reason;
        break;
      case "started":
        progress.isRunning = true;
        break;
      case "output":
        hold(progress, event.data);
        break;
      case "finished":
        progress.isFinished = true;
        break;
      case "failed":
        break;
    }
    await this.#advance();
  }

  /** Everything that needs no work has been told when this resolves. */
  async start(): Promise<void> {
    await this.#advance();
  }

  /**
   * The build has failed: what the step that failed said is told, though steps before it have not ended.
   *
   * @param digest of the vertex that failed
   */
  async fail(digest: Digest | undefined): Promise<void> {
    const failed = this.#steps.findIndex(({ vertex }) => vertex !== undefined && vertex.digest === digest);
    if (failed < 0) return;
    if (failed !== this.#current) {
      this.#current = failed;
      this.#isHeaded = false;
      this.#isAnnounced = false;
    }
    await this.#advance();
  }

  #of(digest: Digest): Progress {
    let progress = this.#progress.get(digest);
    if (progress === undefined) {
      progress = {
        isCached: false,
        isRunning: false,
        isFinished: false,
        reason: undefined,
        held: "",
        isClipped: false,
        decoder: new TextDecoder(),
      };
      this.#progress.set(digest, progress);
    }
    return progress;
  }

  /** Tells all that can be told now, and moves on over steps that have ended. */
  async #advance(): Promise<void> {
    let text = "";
    for (;;) {
      const step = this.#steps[this.#current];
      if (step === undefined) break;
      if (!this.#isHeaded) text += `Step ${this.#current + 1}/${this.#steps.length} : ${step.text}\n`;
      this.#isHeaded = true;
      const { told, hasEnded } = this.#tell(step);
      text += told;
      if (!hasEnded) break;
      this.#lastId = idAfter(step, this.#lastId);
      text += ` ---> ${this.#lastId}\n`;
      this.#current++;
      this.#isHeaded = false;
      this.#isAnnounced = false;
    }
    if (text !== "") await this.#write(text);
  }

  #tell({ vertex }: Step): { told: string; hasEnded: boolean } {
    if (vertex === undefined || vertex.operation.kind === "base") return { told: "", hasEnded: true };
    const progress = this.#of(vertex.digest);
    if (progress.isCached) return { told: " ---> Using cache\n", hasEnded: true };
    let told = "";
    const container = vertex.digest.slice(-12);
    const isRun = vertex.operation.kind === "run";
    if (progress.isRunning && !this.#isAnnounced) {
      this.#isAnnounced = true;
      if (progress.reason !== undefined && isWorthTelling(progress.reason)) {
        told += ` ---> Not cached: ${progress.reason}\n`;
      }
      if (isRun) told += ` ---> Running in ${container}\n`;
    }
    told += progress.held;
    progress.held = "";
    if (progress.isFinished && isRun) told += ` ---> Removed intermediate container ${container}\n`;
    return { told, hasEnded: progress.isFinished };
  }
}

/** The reasons that only repeat what the reader did are left out. */
function isWorthTelling(reason: string): boolean {
  return (
    !reason.startsWith("this step was not built before") && !reason.startsWith("the cache is not to be used")
  );
}

function hold(progress: Progress, data: Uint8Array): void {
  const text = progress.decoder.decode(data, { stream: true });
  if (progress.held.length + text.length <= MAX_HELD) progress.held += text;
  else if (!progress.isClipped) {
    progress.isClipped = true;
    progress.held += "\n[output clipped: more than a step may hold back]\n";
  }
}

/** Something for people to tell steps by: the image of FROM, the work of others, and a trace of metadata. */
function idAfter({ text, vertex, imageId }: Step, before: string): string {
  if (imageId !== undefined) return shortId(imageId);
  if (vertex !== undefined && vertex.operation.kind !== "base") return shortId(vertex.digest);
  return createHash("sha256").update(`${before} ${text}`).digest("hex").slice(0, 12);
}
