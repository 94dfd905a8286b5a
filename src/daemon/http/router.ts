import type { Route } from "./route.ts";

export interface Match {
  readonly route: Route;
  readonly params: ReadonlyMap<string, string>;
}

interface CompiledRoute {
  readonly route: Route;
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

/** Finds the route of a request. The first that matches wins, so that fixed paths stand before greedy ones. */
export class Router {
  readonly #byMethod = new Map<string, CompiledRoute[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const list = this.#byMethod.get(route.method) ?? [];
      list.push(compile(route));
      this.#byMethod.set(route.method, list);
    }
  }

  /** @param path without version prefix and query, still URL-encoded */
  find(method: string, path: string): Match | undefined {
    for (const { route, pattern, names } of this.#byMethod.get(method) ?? []) {
      const found = pattern.exec(path);
      if (!found) continue;
      const values = found.slice(1).map(decoded);
      if (values.includes(undefined)) return undefined;
      return { route, params: new Map(names.map((name, index) => [name, values[index] ?? ""])) };
    }
    return undefined;
  }
}

function compile(route: Route): CompiledRoute {
  const names: string[] = [];
  const pattern = route.path.replaceAll(
    /\{([a-zA-Z]+)(\.\.\.)?\}|[.+*?^$()|[\]\\]/g,
    (text, name?: string, greedy?: string) => {
      if (name === undefined) return `\\${text}`;
      names.push(name);
      return greedy ? "(.+)" : "([^/]+)";
    },
  );
  return { route, pattern: new RegExp(`^${pattern}$`), names };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // a malformed escape: no object has such a name
    return undefined;
  }
}
