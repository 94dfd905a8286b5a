import { EngineError } from "#base/errors.ts";

/** Docker's default, ctrl-p ctrl-q. */
const DEFAULT_KEYS = [16, 17];

/** `ctrl-p,ctrl-q` or `a,b` as bytes. @throws {EngineError} invalid */
export function parseDetachKeys(text: string | undefined): readonly number[] {
  if (text === undefined || text === "") return DEFAULT_KEYS;
  return text.split(",").map((key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 64;
    if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
    throw new EngineError(
      "invalid",
      `Cannot use detach keys "${text}": "${key}" is neither a character nor ctrl-KEY`,
    );
  });
}

/**
 * Sees whether what a person types holds the detach keys. The engine acts on them; we only need to know why the stream
 * has ended.
 */
export class DetachWatcher {
  readonly #keys: readonly number[];
  #matched = 0;

  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** True once the whole sequence has been typed. */
  get isDetached(): boolean {
    return this.#matched === this.#keys.length;
  }

  see(data: Uint8Array): void {
    for (const byte of data) {
      if (this.isDetached) return;
      if (byte === this.#keys[this.#matched]) this.#matched++;
      else this.#matched = byte === this.#keys[0] ? 1 : 0;
    }
  }
}
