import { EngineError } from "#base/errors.ts";
import type { Context } from "./context.ts";

/** No name and no password is longer. */
const MAX_LINE_BYTES = 64 * 1024;

const CTRL_C = 3;
const CTRL_D = 4;
const BACKSPACES = [8, 127];

/** Asks a person on the terminal, one question after another, on one reader of standard input. */
export class Prompt {
  readonly #context: Context;
  readonly #bytes: AsyncIterator<number>;

  constructor(context: Context) {
    this.#context = context;
    this.#bytes = bytesOf(context.input);
  }

  /** One line, without the space around it. */
  async line(question: string): Promise<string> {
    this.#context.out.write(question);
    const line: number[] = [];
    for (;;) {
      const { value, done } = await this.#bytes.next();
      if (done || value === 10) break;
      push(line, value);
    }
    return decode(line);
  }

  /** One line that is not shown; the terminal's own editing is off meanwhile, so that its keys are ours. */
  async secret(question: string): Promise<string> {
    // before the question: whoever answers at once must not see it either
    using _raw = this.#context.input.raw();
    this.#context.out.write(question);
    const line: number[] = [];
    for (;;) {
      const { value, done } = await this.#bytes.next();
      if (done || value === 10 || value === 13 || value === CTRL_D) break;
      if (value === CTRL_C) {
        this.#context.out.write("\n");
        throw new EngineError("cancelled", "interrupted");
      }
      if (!BACKSPACES.includes(value)) push(line, value);
      // a character of several bytes goes as a whole
      else while (((line.pop() ?? 0) & 0xc0) === 0x80);
    }
    this.#context.out.write("\n");
    return decode(line);
  }
}

function push(line: number[], byte: number): void {
  if (line.length >= MAX_LINE_BYTES) throw new EngineError("invalid", "Cannot read the line: it is too long");
  line.push(byte);
}

function decode(line: readonly number[]): string {
  return new TextDecoder().decode(Uint8Array.from(line)).trim();
}

async function* bytesOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<number, void> {
  for await (const chunk of input) yield* chunk;
}
