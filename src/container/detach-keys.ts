import { EngineError } from "#base/errors.ts";

const DEFAULT_KEYS = "ctrl-p,ctrl-q";

/**
 * Reads a sequence of keys, such as `ctrl-p,ctrl-q` or `a,b`: each a character or `ctrl-` with one of `a-z@[\]^_`.
 *
 * @throws {EngineError} invalid
 */
export function parseDetachKeys(text: string | undefined): Uint8Array {
  const keys = (text === undefined || text === "" ? DEFAULT_KEYS : text).split(",");
  return Uint8Array.from(keys, (key) => {
    const control = /^ctrl-([a-zA-Z@[\\\]^_])$/.exec(key)?.[1];
    if (control !== undefined) return control.toLowerCase().charCodeAt(0) & 0x1f;
    const code = key.length === 1 ? key.charCodeAt(0) : Number.NaN;
    if (code < 128) return code;
    throw new EngineError("invalid", `Invalid detach keys (${text}) provided`);
  });
}

/** Finds a sequence of keys in what a person types, however it is cut up. Bytes that may begin it are held back. */
export class DetachFilter {
  readonly #keys: Uint8Array;
  #matched = 0;

  constructor(keys: Uint8Array) {
    this.#keys = keys;
  }

  /** What to hand on, and whether the sequence is now complete: nothing after it is looked at. */
  push(chunk: Uint8Array): { readonly data: Uint8Array; readonly isDetached: boolean } {
    const passed: number[] = [];
    for (const byte of chunk) {
      while (this.#matched > 0 && this.#keys[this.#matched] !== byte) this.#giveUp(passed);
      if (this.#keys[this.#matched] === byte) this.#matched++;
      else passed.push(byte);
      if (this.#matched === this.#keys.length) return { data: Uint8Array.from(passed), isDetached: true };
    }
    return { data: Uint8Array.from(passed), isDetached: false };
  }

  /** What was held back when the input ends. */
  end(): Uint8Array {
    const held = this.#keys.slice(0, this.#matched);
    this.#matched = 0;
    return held;
  }

  /** Hands on what is held, but for the longest end of it with which the sequence may begin anew. */
  #giveUp(passed: number[]): void {
    const held = this.#keys.subarray(0, this.#matched);
    let kept = this.#matched - 1;
    while (!held.subarray(this.#matched - kept).every((byte, index) => byte === this.#keys[index])) kept--;
    passed.push(...held.subarray(0, this.#matched - kept));
    this.#matched = kept;
  }
}
