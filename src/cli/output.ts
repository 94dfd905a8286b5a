import { fstatSync, write, writeSync } from "node:fs";
import { isErrno } from "#base/errors.ts";

/** Where a command prints. */
export interface Output {
  /** Prints at once; for text of a command's own, of bounded size. */
  write(text: string): void;
  /** Prints a part of a stream; resolves when it is taken (back-pressure). */
  stream(data: Uint8Array): Promise<void>;
  readonly isTerminal: boolean;
  /** Width in characters; 80 when it is no terminal. */
  columns(): number;
}

/** The outputs of this process. When the reader of one goes away there is nobody to work for: exit code 141, as of SIGPIPE. */
export function realOutputs(): { readonly out: Output; readonly error: Output } {
  const leave = (): void => process.exit(141);
  return { out: new FileOutput(1, leave), error: new FileOutput(2, leave) };
}

/** Prints nothing. */
export const silentOutput: Output = {
  isTerminal: false,
  columns: () => 80,
  write: () => undefined,
  stream: () => Promise.resolve(),
};

/**
 * A file descriptor written to directly: `process.stdout` costs 3 ms to set up, more than the rest of a command. When
 * the reader has gone (`EPIPE`), what is printed is dropped and `onClosed` is told.
 */
export class FileOutput implements Output {
  readonly #fd: 1 | 2;
  readonly #onClosed: () => void;

  constructor(fd: 1 | 2, onClosed: () => void) {
    this.#fd = fd;
    this.#onClosed = onClosed;
  }

  get isTerminal(): boolean {
    return isTerminal(this.#fd);
  }

  columns(): number {
    if (!this.isTerminal) return 80;
    return (this.#fd === 1 ? process.stdout.columns : process.stderr.columns) || 80;
  }

  write(text: string): void {
    let rest: Uint8Array = Buffer.from(text);
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest));
      } catch (error) {
        if (isErrno(error, "EPIPE")) return this.#onClosed();
        // A terminal or pipe that another program has set to non-blocking and is full; it drains while we try again.
        if (!isErrno(error, "EAGAIN", "EINTR")) throw error;
      }
    }
  }

  async stream(data: Uint8Array): Promise<void> {
    for (let rest = data; rest.length > 0; ) {
      try {
        rest = rest.subarray(await this.#writeSome(rest));
      } catch (error) {
        if (isErrno(error, "EPIPE")) return this.#onClosed();
        if (!isErrno(error, "EAGAIN", "EINTR")) throw error;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
  }

  async #writeSome(data: Uint8Array): Promise<number> {
    return await new Promise<number>((resolve, reject) => {
      write(this.#fd, data, 0, data.length, null, (error, written) =>
        error ? reject(error) : resolve(written),
      );
    });
  }
}

/** True when `fd` is a terminal. `node:tty` is slow to load, and most often a look at the file says no already. */
export function isTerminal(fd: number): boolean {
  const dev_null = 0x103;
  const stat = fstatSync(fd);
  return (
    stat.isCharacterDevice() && stat.rdev !== dev_null && process.getBuiltinModule("node:tty").isatty(fd)
  );
}
