import { EngineError } from "./errors.ts";

/**
 * A JSON object from outside, read field by field: `Fields` knows where it stands, so that every refusal names the
 * field by its path. Absent and `null` are the same, as in Go's decoder; keys are matched exactly first, then without
 * regard to case (Docker's own server does, and clients rely on it). Unknown keys are ignored.
 */
export class Fields {
  readonly #values: Map<string, unknown>;
  readonly #path: string;

  constructor(value: unknown, path = "") {
    this.#path = path;
    if (value === undefined || value === null) this.#values = new Map();
    else if (typeof value === "object" && !Array.isArray(value))
      this.#values = new Map(Object.entries(value));
    else throw wrong(path === "" ? "document" : path, "an object", value);
  }

  has(key: string): boolean {
    return this.raw(key) !== undefined;
  }

  /** The undecoded value; `undefined` when absent or `null`. */
  raw(key: string): unknown {
    const exact = this.#values.get(key);
    if (exact !== undefined) return exact === null ? undefined : exact;
    const folded = key.toLowerCase();
    for (const [name, value] of this.#values) {
      if (name.toLowerCase() === folded && value !== null) return value;
    }
    return undefined;
  }

  string(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === "string") return value;
    throw wrong(this.pathOf(key), "a string", value);
  }

  boolean(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === "boolean") return value;
    throw wrong(this.pathOf(key), "a boolean", value);
  }

  /** A whole number within JavaScript's safe range. */
  integer(key: string): number | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value)) return value;
    throw wrong(this.pathOf(key), "a whole number", value);
  }

  strings(key: string): string[] | undefined {
    return this.list(key, (value, path) => {
      if (typeof value === "string") return value;
      throw wrong(path, "a string", value);
    });
  }

  /** Every element decoded by `decode`, which is told its path. */
  list<T>(key: string, decode: (value: unknown, path: string) => T): T[] | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw wrong(this.pathOf(key), "an array", value);
    return value.map((element, index) => decode(element, `${this.pathOf(key)}[${index}]`));
  }

  /** A nested object; empty `Fields` when absent. */
  object(key: string): Fields {
    return new Fields(this.raw(key), this.pathOf(key));
  }

  /** An object used as a map, in its order; a `Map`, so that hostile keys such as `__proto__` are only text. */
  map<T>(key: string, decode: (value: unknown, path: string) => T): Map<string, T> | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw wrong(this.pathOf(key), "an object", value);
    }
    const path = this.pathOf(key);
    return new Map(Object.entries(value).map(([name, entry]) => [name, decode(entry, `${path}.${name}`)]));
  }

  stringMap(key: string): Map<string, string> | undefined {
    return this.map(key, (value, path) => {
      if (typeof value === "string") return value;
      throw wrong(path, "a string", value);
    });
  }

  /** @throws {EngineError} invalid when `value` is absent. */
  required<T>(key: string, value: T | undefined): T {
    if (value === undefined)
      throw new EngineError("invalid", `Cannot read ${this.pathOf(key)}: it is missing`);
    return value;
  }

  pathOf(key: string): string {
    return this.#path === "" ? key : `${this.#path}.${key}`;
  }
}

/** Parses JSON text from outside. @throws {EngineError} invalid, naming `what`. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new EngineError("invalid", `Cannot read ${what}: it is not JSON`, { cause: error });
  }
}

function wrong(path: string, wanted: string, found: unknown): EngineError {
  const kind = found === null ? "null" : Array.isArray(found) ? "an array" : `a ${typeof found}`;
  return new EngineError("invalid", `Cannot read ${path}: it must be ${wanted}, found ${kind}`);
}
