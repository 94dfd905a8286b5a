import type { ProgressLine } from "#image/image.ts";
import type { BodyWriter } from "../http/route.ts";

/** What waits for a slow client, in characters, before the build itself has to wait. */
const MAX_WAITING = 1024 * 1024;

/** The lines of a build between the work and its client: bounded, so that a step that prints waits for its reader. */
export class BuildMessages {
  readonly #isQuiet: boolean;
  #waiting: string[] = [];
  #waitingLength = 0;
  readonly #held: string[] = [];
  #heldLength = 0;
  #hasEnded = false;
  #hasLeft = false;
  #changed = Promise.withResolvers<void>();

  /** @param isQuiet lines are held back, for the case that the build fails */
  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  async stream(text: string): Promise<void> {
    await this.#add({ stream: text }, this.#isQuiet);
  }

  /** Progress is never waited for: of a flood the newest is as good. */
  progress(line: ProgressLine): void {
    if (this.#waitingLength > MAX_WAITING) return;
    if (line.kind === "stream") return this.#push({ stream: line.text }, this.#isQuiet);
    if (line.kind === "aux") return this.#push({ aux: line.value }, this.#isQuiet);
    const { id, status, bytes } = line;
    this.#push(
      { status, ...(bytes && { progressDetail: bytes }), ...(id !== undefined && { id }) },
      this.#isQuiet,
    );
  }

  /** A line that a quiet build tells too. */
  async last(message: unknown): Promise<void> {
    await this.#add(message, false);
  }

  end(): void {
    this.#hasEnded = true;
    this.#notify();
  }

  /** Nobody reads any more: what is added from now on is dropped. */
  leave(): void {
    this.#hasLeft = true;
    this.#notify();
  }

  /** Until there is a line, or there will be none. */
  async waitForMore(): Promise<void> {
    while (this.isEmpty && !this.#hasEnded) await this.#changed.promise;
  }

  /** Writes lines until the end. */
  async forward(body: BodyWriter): Promise<void> {
    for (;;) {
      await this.waitForMore();
      if (this.isEmpty) return;
      const text = this.#waiting.join("");
      this.#waiting = [];
      this.#waitingLength = 0;
      this.#notify();
      await body.write(text);
    }
  }

  /** What a quiet build did not tell. */
  heldForFailure(): string {
    return this.#held.splice(0).join("");
  }

  async #add(message: unknown, isHeld: boolean): Promise<void> {
    this.#push(message, isHeld);
    while (this.#waitingLength > MAX_WAITING && !this.#hasLeft) await this.#changed.promise;
  }

  #push(message: unknown, isHeld: boolean): void {
    if (this.#hasLeft) return;
    const line = `${JSON.stringify(message)}\r\n`;
    if (isHeld) {
      if (this.#heldLength <= MAX_WAITING) this.#held.push(line);
      this.#heldLength += line.length;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
