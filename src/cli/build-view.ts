import type { ProgressMessage } from "#api/images.ts";
import { EngineError } from "#base/errors.ts";
import type { Output } from "./output.ts";

// The live view of a build on a terminal: a line for each step that has ended, and below it the step that runs with the
// last lines it wrote:
//
//   ✓ [1/4] FROM debian
//   ✓ [2/4] RUN apt-get update (3.1s)
//   ▸ [3/4] COPY myapp /var/www/html
//       last lines of output

/** Lines of output below the step that runs. */
const TAIL = 5;
/** Lines kept of the step that runs, to be shown when it fails. */
const KEPT = 200;
const REDRAW_MS = 40;

export interface BuildViewOptions {
  readonly now: () => number;
  /** Values of `aux` lines: the id of the image. */
  onAux(aux: unknown): void;
}

interface Step {
  readonly title: string;
  readonly startedAt: number;
  isCached: boolean;
  readonly lines: string[];
}

/** Shows a build's progress live. @throws {EngineError} with the engine's message; the failed step's output is printed */
export async function showBuildLive(
  messages: AsyncIterable<ProgressMessage>,
  output: Output,
  options: BuildViewOptions,
): Promise<void> {
  const view = new BuildView(output, options.now);
  for await (const message of messages) {
    const failure = message.errorDetail?.message ?? message.error;
    if (failure !== undefined) {
      view.fail();
      throw new EngineError("internal", failure);
    }
    if (message.aux !== undefined) options.onAux(message.aux);
    if (message.stream !== undefined) view.feed(message.stream);
    else if (message.status !== undefined)
      view.feed(`${message.id ? `${message.id}: ` : ""}${message.status}\n`);
  }
  view.end();
}

/** Takes the text of a classic build apart into steps and draws them. */
export class BuildView {
  readonly #output: Output;
  readonly #now: () => number;
  #rest = "";
  #step: Step | undefined;
  /** Lines on the screen that the next drawing replaces. */
  #drawn = 0;
  #drawnAt = 0;

  constructor(output: Output, now: () => number) {
    this.#output = output;
    this.#now = now;
  }

  feed(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#line(plainText(line));
    if (this.#now() - this.#drawnAt >= REDRAW_MS) this.#draw();
  }

  /** All has gone well: the last step is marked done. */
  end(): void {
    if (this.#rest !== "") this.#line(plainText(this.#rest));
    this.#closeStep();
  }

  /** Prints what the step that runs has written. */
  fail(): void {
    this.#erase();
    const step = this.#step;
    if (!step) return;
    this.#output.write(`✗ ${step.title}\n${step.lines.map((line) => `    ${line}\n`).join("")}`);
  }

  #line(line: string): void {
    const step = /^Step (\d+\/\d+) : (.*)$/.exec(line);
    if (step) {
      this.#closeStep();
      this.#step = { title: `[${step[1]}] ${step[2]}`, startedAt: this.#now(), isCached: false, lines: [] };
    } else if (/^Successfully (built|tagged) /.test(line)) {
      this.#closeStep();
      this.#output.write(`${line}\n`);
    } else if (line === " ---> Using cache") {
      if (this.#step) this.#step.isCached = true;
    } else if (!/^ ---> |^Removed intermediate container/.test(line)) this.#keep(line);
  }

  #keep(line: string): void {
    if (!this.#step) {
      this.#output.write(`${line}\n`);
      return;
    }
    this.#step.lines.push(line);
    if (this.#step.lines.length > KEPT) this.#step.lines.shift();
  }

  #closeStep(): void {
    const step = this.#step;
    if (!step) return;
    this.#erase();
    const seconds = (this.#now() - step.startedAt) / 1000;
    const note = step.isCached ? " (cached)" : seconds >= 0.1 ? ` (${seconds.toFixed(1)}s)` : "";
    this.#output.write(`✓ ${step.title}${note}\n`);
    this.#step = undefined;
  }

  #draw(): void {
    const step = this.#step;
    if (!step) return;
    this.#erase();
    const width = this.#output.columns() - 1;
    const lines = [`▸ ${step.title}`, ...step.lines.slice(-TAIL).map((line) => `    ${line}`)];
    this.#output.write(lines.map((line) => `${Array.from(line).slice(0, width).join("")}\n`).join(""));
    this.#drawn = lines.length;
    this.#drawnAt = this.#now();
  }

  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\x1b[${this.#drawn}A\x1b[0J`);
    this.#drawn = 0;
  }
}

/** A line of a program's output without what would move our cursor; of text overwritten by `\r` the last is kept. */
function plainText(line: string): string {
  const visible = line.replace(/\r$/, "").split("\r").at(-1) ?? "";
  // oxlint-disable-next-line no-control-regex -- control characters are what is removed
  return visible.replace(/\x1b(?:\[[0-9;?]*[A-Za-z]|[^[])/g, "").replace(/[\x00-\x08\x0b-\x1f\x7f]/g, "");
}
