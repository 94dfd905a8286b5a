/** Set when the base gives none. Docker's default, moby daemon/pkg/oci/defaults.go. */
export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** `KEY=value` pairs in order; replacing keeps the place. */
export class Environment {
  readonly #values: ReadonlyMap<string, string>;

  private constructor(values: ReadonlyMap<string, string>) {
    this.#values = values;
  }

  static of(pairs: readonly string[]): Environment {
    return new Environment(
      new Map(
        pairs.map((pair): [string, string] => {
          const equals = pair.indexOf("=");
          return equals < 0 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
        }),
      ),
    );
  }

  find(name: string): string | undefined {
    return this.#values.get(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  with(pairs: Iterable<readonly [string, string]>): Environment {
    const values = new Map(this.#values);
    for (const [name, value] of pairs) values.set(name, value);
    return new Environment(values);
  }

  toPairs(): string[] {
    return [...this.#values].map(([name, value]) => `${name}=${value}`);
  }
}
