// Prints docs/compatibility.md: every endpoint of the Engine API and every command of docker's, and whether we have it. It
// asks an engine for its routes and the command line for its commands, so that the page says what the code does.
// Run: bun scripts/compatibility.ts > docs/compatibility.md (as root)
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#base/log.ts";
import { Engine } from "#daemon/engine.ts";
import type { Route } from "#daemon/http/route.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { PLAIN_SETTINGS } from "#registry/settings.ts";
import { layout } from "#store/layout.ts";
import { ownCommands, readCommands, renderCommands } from "./compatibility-commands.ts";

/** One endpoint of the API. */
export interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly group: string;
  /** `1.30`; `<=1.25` for what is older than the descriptions. */
  readonly since: string;
}

/** Why the engine has no route for what `holds` names: by topic, the first that holds counts. */
interface Reason {
  readonly holds: (endpoint: Endpoint) => boolean;
  readonly state: "no" | "not yet";
  readonly why: string;
}

const inGroup =
  (name: string) =>
  ({ group }: Endpoint): boolean =>
    group === name;
const at =
  (pattern: RegExp) =>
  ({ method, path }: Endpoint): boolean =>
    pattern.test(`${method} ${path}`);

const REASONS: readonly Reason[] = [
  { holds: inGroup("Debug"), state: "no", why: "profiler of Docker's own programming language" },
  {
    holds: at(/\/checkpoints/),
    state: "no",
    why: "checkpoints need CRIU, and are an experiment in Docker too",
  },
  {
    holds: inGroup("Session"),
    state: "not yet",
    why: "BuildKit's protocol is to come with the complete builder",
  },
];

const DONE = "done";

/** Answered by the server for every path, without a route. */
const WITHOUT_ROUTE = ["OPTIONS /{anyroute}"];

/** The rows of `test/data/engine-api.tsv`. */
export function readEndpoints(): Endpoint[] {
  const text = readFileSync(join(import.meta.dir, "../test/data/engine-api.tsv"), "utf8");
  const [header = "", ...rows] = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const names = header.split("\t");
  return rows.map((row) => {
    const cells = row.split("\t");
    const cell = (name: string): string => cells[names.indexOf(name)] ?? "";
    return { method: cell("method"), path: cell("path"), group: cell("group"), since: cell("since_api") };
  });
}

/** The routes of a new engine, opened in a folder of its own and closed again. */
export async function routesOfEngine(): Promise<readonly Route[]> {
  const folder = mkdtempSync(join(tmpdir(), "darse-compatibility-"));
  try {
    const root = join(folder, "root");
    const run = join(folder, "run");
    for (const path of [root, run]) mkdirSync(path);
    const configuration = {
      root,
      run,
      sockets: [],
      bridge: "darse-compat",
      logLevel: "error" as const,
      registries: PLAIN_SETTINGS,
    };
    const kernel = openKernel();
    await using engine = await Engine.open({
      configuration,
      paths: layout(root, run),
      kernel,
      log: silentLogger,
    });
    return engine.routes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `GET /images/{}/json`: whatever the parameters are called. */
export function keyOf({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${path.replaceAll(/\{[^}]*\}/g, "{}")}`;
}

/** The state as the page has it. */
function judge(endpoint: Endpoint, routes: ReadonlyMap<string, Route>): string {
  const route = routes.get(keyOf(endpoint));
  if (route?.missing) return `${route.missing.isPlanned ? "not yet" : "no"}: ${route.missing.why}`;
  if (route || WITHOUT_ROUTE.includes(`${endpoint.method} ${endpoint.path}`)) return DONE;
  const reason = REASONS.find(({ holds }) => holds(endpoint));
  if (!reason) {
    throw new Error(`no route and no reason for ${endpoint.method} ${endpoint.path}: give one in REASONS`);
  }
  return `${reason.state}: ${reason.why}`;
}

/** Reasons that stand for nothing any more. */
export function staleReasons(endpoints: readonly Endpoint[], routes: readonly Route[]): string[] {
  const known = new Map(routes.map((route) => [keyOf(route), route]));
  const open = endpoints.filter((endpoint) => !known.has(keyOf(endpoint)));
  return REASONS.filter(
    (reason) => !open.some((endpoint) => REASONS.find(({ holds }) => holds(endpoint)) === reason),
  ).map(({ why }) => why);
}

/** The half of the page on the API. @throws {Error} for an endpoint that is missing without a reason */
export function renderCompatibility(endpoints: readonly Endpoint[], routes: readonly Route[]): string {
  const known = new Map(routes.map((route) => [keyOf(route), route]));
  const rows = endpoints.map((endpoint) => ({ endpoint, state: judge(endpoint, known) }));
  const groups = [...new Set(endpoints.map(({ group }) => group))].map((name) => {
    const own = rows.filter(({ endpoint }) => endpoint.group === name);
    return { name, own, done: own.filter(({ state }) => state === DONE).length };
  });
  const counts = groups.map(({ name, own, done }) => `| ${name} | ${done} | ${own.length} |`);
  const total = rows.filter(({ state }) => state === DONE).length;
  const tables = groups.map(({ name, own }) => {
    const lines = own.map(
      ({ endpoint: { method, path, since }, state }) => `| \`${method} ${path}\` | ${since} | ${state} |`,
    );
    return `## ${name}\n\n| endpoint | since API | state |\n| --- | --- | --- |\n${lines.join("\n")}\n`;
  });
  return `${INTRODUCTION}
| group | done | of |
| --- | --- | --- |
${counts.join("\n")}
| all | ${total} | ${rows.length} |

${tables.join("\n")}`;
}

/** The whole of docs/compatibility.md. */
export async function renderPage(): Promise<string> {
  const endpoints = renderCompatibility(readEndpoints(), await routesOfEngine());
  return `${endpoints}\n${renderCommands(readCommands(), await ownCommands())}`;
}

const INTRODUCTION = `# Compatibility with the Docker Engine API

Every endpoint of Engine API 1.55, and whether this engine has it. The page is written by \`scripts/compatibility.ts\`, which
asks the engine for its routes; a test fails when the two differ.

*Done* is an endpoint that does its work, for clients of API 1.24 up to the newest. The tests in \`test/clients/\` drive it by
the \`docker\` command line, dockerode, Testcontainers and docker-py. A field of a request that this engine cannot honour is
refused by its name, or told of in the answer's warnings. *Not yet* is to come, *no* is not intended; both are answered with
the reason and what to use instead (501; outside a swarm Docker's own 503), or as a path that is not there.
`;

if (import.meta.main) {
  process.stdout.write(await renderPage());
}
