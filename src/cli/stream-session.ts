import type { HijackedStream } from "#api/api-caller.ts";
import type { TerminalSize } from "#api/client.ts";
import { FrameDecoder, joinFrames } from "#api/stdcopy.ts";
import { EngineError } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { DetachWatcher, parseDetachKeys } from "./detach-keys.ts";

export interface SessionOptions {
  readonly stream: HijackedStream;
  /** The process has a terminal: its output is not framed. */
  readonly hasTty: boolean;
  readonly takesInput: boolean;
  readonly detachKeys: string | undefined;
}

/** Our standard streams joined to those of a process, until its output ends. */
export class StreamSession implements Disposable {
  readonly #context: Context;
  readonly #options: SessionOptions;
  readonly #watcher: DetachWatcher;
  readonly #raw: Disposable | undefined;

  constructor(context: Context, options: SessionOptions) {
    this.#context = context;
    this.#options = options;
    this.#watcher = new DetachWatcher(parseDetachKeys(options.detachKeys));
    this.#raw =
      options.hasTty && options.takesInput && context.input.isTerminal ? context.input.raw() : undefined;
  }

  /** The person has typed the detach keys: the process goes on without us. */
  get isDetached(): boolean {
    return this.#options.hasTty && this.#watcher.isDetached;
  }

  /** Resolves when the output has ended and is printed. */
  async run(): Promise<void> {
    const { stream, hasTty, takesInput } = this.#options;
    // Input outlives output only by what nobody reads any more; its failure then is no news.
    if (takesInput) this.#sendInput().catch(() => undefined);
    await copyOutput(this.#context, stream.output, hasTty);
  }

  [Symbol.dispose](): void {
    this.#raw?.[Symbol.dispose]();
    this.#options.stream.close();
  }

  async #sendInput(): Promise<void> {
    const { stream, hasTty } = this.#options;
    for await (const chunk of this.#context.input) {
      if (hasTty) this.#watcher.see(chunk);
      await stream.write(chunk);
    }
    stream.endInput();
  }
}

/** Prints a stream of attach, exec or logs: as it is with a terminal, else taken apart to stdout and stderr. */
export async function copyOutput(
  context: Context,
  output: AsyncIterable<Uint8Array>,
  hasTty: boolean,
): Promise<void> {
  if (hasTty) {
    for await (const chunk of output) await context.out.stream(chunk);
    return;
  }
  const decoder = new FrameDecoder();
  for await (const chunk of output) {
    for (const { stream, data } of joinFrames(decoder.push(chunk))) {
      if (stream === "system") throw new EngineError("internal", new TextDecoder().decode(data).trim());
      await (stream === "stderr" ? context.error : context.out).stream(data);
    }
  }
  decoder.end();
}

/** Tells the engine the size of our terminal, now and at each change, until disposed. */
export function followTerminalSize(
  context: Context,
  resize: (size: TerminalSize) => Promise<void>,
): Disposable {
  const tell = (): void => {
    const size = context.input.size();
    // The process may have ended meanwhile; a size for it is no longer of use.
    if (size) resize(size).catch(() => undefined);
  };
  tell();
  return context.onSignals(["SIGWINCH"], tell);
}
