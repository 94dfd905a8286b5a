// The half of docs/compatibility.md on the command line: every command and flag of docker's, and whether ours has it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CATALOG, PROGRAMS } from "#cli/catalog.ts";
import type { Command } from "#cli/command.ts";
import { flagName } from "#cli/flags.ts";

/** One command of docker's with its flags; an alias is a command too. */
export interface PeerCommand {
  /** `image ls`: without the program's name. */
  readonly path: string;
  readonly isGroup: boolean;
  readonly flags: readonly PeerFlag[];
}

export interface PeerFlag {
  /** `--no-trunc` */
  readonly name: string;
  /** `-a`; empty without one. */
  readonly short: string;
  readonly isSwitch: boolean;
}

/** Why ours has no command or flag that `pattern` matches, as `swarm init` and `start --checkpoint`. */
interface Reason {
  readonly pattern: RegExp;
  readonly state: "no" | "not yet";
  readonly why: string;
}

const REASONS: readonly Reason[] = [
  {
    pattern: /^(config|node|secret|service|stack|swarm)\b/,
    state: "no",
    why: "there is no swarm mode: an engine is one machine",
  },
  {
    pattern: /^plugin\b/,
    state: "no",
    why: "there are no plugins: what drives volumes, networks and logs is built in",
  },
  { pattern: /^trust\b/, state: "no", why: "Docker's content trust has ended, its service too" },
  {
    pattern: /^checkpoint\b|^(container )?start --checkpoint/,
    state: "no",
    why: "checkpoints need CRIU, and are an experiment in Docker too",
  },
  {
    pattern: /^context\b/,
    state: "not yet",
    why: "an engine is named by -H or DOCKER_HOST",
  },
  {
    pattern: /^completion\b/,
    state: "not yet",
    why: "shells are to complete from the catalogue of commands",
  },
];

const DONE = "done";

/** Understood before any command is looked up. */
const ALWAYS = { command: "help", flag: "--help" } as const;

/** The rows of `test/data/cli.tsv`, by command. */
export function readCommands(): PeerCommand[] {
  const text = readFileSync(join(import.meta.dir, "../test/data/cli.tsv"), "utf8");
  const [header = "", ...rows] = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const names = header.split("\t");
  const commands = new Map<string, { path: string; isGroup: boolean; flags: PeerFlag[] }>();
  for (const row of rows) {
    const cells = row.split("\t");
    const cell = (name: string): string => cells[names.indexOf(name)] ?? "";
    const path = cell("command").replace(/^docker /, "");
    const known = commands.get(path) ?? { path, isGroup: false, flags: [] };
    commands.set(path, known);
    if (cell("kind") === "command") known.isGroup = cell("args") === "COMMAND";
    else known.flags.push({ name: cell("name"), short: cell("short"), isSwitch: cell("type") === "bool" });
  }
  return [...commands.values()];
}

/** Every command of ours, loaded, by each of its names. */
export async function ownCommands(): Promise<ReadonlyMap<string, Command>> {
  const loaded = await Promise.all(
    CATALOG.map(async ({ paths, load }) => {
      const command = await load();
      return paths.map((path) => [path, command] as const);
    }),
  );
  return new Map(loaded.flat());
}

/** What docker has under `command` and ours has not, or not so: `swarm init`, `start --checkpoint`. */
function lacking(peer: PeerCommand, own: ReadonlyMap<string, Command>): string[] {
  if (peer.path === ALWAYS.command) return [];
  if (peer.isGroup) {
    const hasMembers = [...own.keys()].some((path) => path.startsWith(`${peer.path} `));
    return hasMembers ? [] : [peer.path];
  }
  const command = own.get(peer.path);
  if (!command) return [peer.path];
  const flags = new Map(Object.entries(command.flags).map(([key, spec]) => [`--${flagName(key)}`, spec]));
  return peer.flags
    .filter(({ name, short, isSwitch }) => {
      if (name === ALWAYS.flag) return false;
      const spec = flags.get(name);
      return !spec || short !== (spec.short ? `-${spec.short}` : "") || isSwitch !== (spec.type === "bool");
    })
    .map(({ name }) => `${peer.path} ${name}`);
}

/** The state as the page has it. @throws {Error} for what is missing without a reason */
function judge(peer: PeerCommand, own: ReadonlyMap<string, Command>): string {
  const open = lacking(peer, own);
  const [first] = open;
  if (first === undefined) return DONE;
  const reasons = [...new Set(open.map(reasonFor))];
  if (first === peer.path) return reasons.map(({ state, why }) => `${state}: ${why}`).join("; ");
  const flags = open.map((name) => `\`${name.slice(peer.path.length + 1)}\``).join(" and ");
  return `${DONE} without ${flags}: ${reasons.map(({ why }) => why).join("; ")}`;
}

function reasonFor(name: string): Reason {
  const reason = REASONS.find(({ pattern }) => pattern.test(name));
  if (!reason) throw new Error(`ours has no "${name}", and there is no reason: give one in REASONS`);
  return reason;
}

/** Reasons that stand for nothing any more. */
export function staleCommandReasons(
  peers: readonly PeerCommand[],
  own: ReadonlyMap<string, Command>,
): string[] {
  const open = peers.flatMap((peer) => lacking(peer, own));
  return REASONS.filter(({ pattern }) => !open.some((name) => pattern.test(name))).map(({ why }) => why);
}

/** The half of the page. */
export function renderCommands(peers: readonly PeerCommand[], own: ReadonlyMap<string, Command>): string {
  const rows = peers.filter(({ isGroup }) => !isGroup).map((peer) => ({ peer, state: judge(peer, own) }));
  const lines = rows.map(({ peer, state }) => `| \`${peer.path}\` | ${peer.flags.length} | ${state} |`);
  const known = new Set(peers.map(({ path }) => path));
  const beyond = CATALOG.filter(
    ({ paths, section }) => section !== "Hidden" && !paths.some((path) => known.has(path)),
  )
    .map(({ paths, summary }) => [paths[0] ?? "", summary] as const)
    .concat(PROGRAMS)
    .map(([path, summary]) => `| \`${path}\` | ${summary} |`);
  const done = rows.filter(({ state }) => state.startsWith(DONE)).length;
  return `# Compatibility with the docker command line

Every command of docker 29, under each of its names, and whether \`darse\` has it with all of its flags: ${done} of
${rows.length}. The page asks the commands for their flags; names, letters and whether a flag takes a value are compared. Flags that
belong to a swarm (of \`volume create\`) are refused by their name.

| command | flags | state |
| --- | --- | --- |
${lines.join("\n")}

## Beyond docker

| command | does |
| --- | --- |
${beyond.join("\n")}
`;
}
