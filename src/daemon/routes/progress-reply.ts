import type { ProgressMessage } from "#api/images.ts";
import type { Progress, ProgressLine } from "#image/image.ts";
import { errorBody } from "../http/error-status.ts";
import type { BodyWriter, Reply } from "../http/route.ts";

/**
 * The JSON lines of a long operation. A failure before the first line is an error answer with its own status; a later
 * one is the last line (`errorDetail`) of an answer that has begun, as Docker has it.
 *
 * @param work given where to tell its progress; it must end when the request's signal fires
 */
export async function progressReply(work: (progress: Progress) => Promise<void>): Promise<Reply> {
  const lines = new LineQueue();
  const result = work((line) => lines.push(line)).finally(() => lines.end());
  // the stream below, or the wait for the first line, sees the failure
  result.catch(() => undefined);
  await lines.waitForMore();
  if (lines.isEmpty) await result;
  return {
    kind: "stream",
    status: 200,
    contentType: "application/json",
    async write(body) {
      await writeLines(lines, body);
      try {
        await result;
      } catch (error) {
        const { message } = errorBody(error);
        await body.write(encodeLine({ errorDetail: { message }, error: message }));
      }
    },
  };
}

async function writeLines(lines: LineQueue, body: BodyWriter): Promise<void> {
  for (;;) {
    await lines.waitForMore();
    const waiting = lines.take();
    if (waiting.length === 0) return;
    await body.write(waiting.map((line) => encodeLine(encodeProgress(line))).join(""));
  }
}

function encodeProgress(line: ProgressLine): ProgressMessage {
  if (line.kind === "stream") return { stream: line.text };
  if (line.kind === "aux") return { progressDetail: {}, aux: line.value };
  const { id, status, bytes } = line;
  if (id === undefined) return { status };
  // What a layer goes through has a place of its own on a client's screen, which this field gives it; the headline has none.
  const isHeadline = status.startsWith("Pulling from ");
  return { status, ...(!isHeadline && { progressDetail: bytes ?? {} }), id };
}

function encodeLine(message: ProgressMessage): string {
  return `${JSON.stringify(message)}\r\n`;
}

/** Lines between the work and a client that may be slow: of one layer's byte counts only the newest waits. */
class LineQueue {
  #waiting: ProgressLine[] = [];
  readonly #counts = new Map<string, number>();
  #hasEnded = false;
  #wake: () => void = () => undefined;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  push(line: ProgressLine): void {
    const id = line.kind === "status" ? line.id : undefined;
    const place = id === undefined ? undefined : this.#counts.get(id);
    if (line.kind === "status" && line.bytes && place !== undefined) this.#waiting[place] = line;
    else {
      if (id !== undefined && line.kind === "status" && line.bytes)
        this.#counts.set(id, this.#waiting.length);
      else if (id !== undefined) this.#counts.delete(id);
      this.#waiting.push(line);
    }
    this.#wake();
  }

  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Until there is a line, or there will be none. */
  async waitForMore(): Promise<void> {
    while (this.isEmpty && !this.#hasEnded) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  take(): ProgressLine[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#counts.clear();
    return taken;
  }
}
