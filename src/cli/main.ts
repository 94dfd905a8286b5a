import { type Dial, dial } from "#api/dial.ts";
import { PRODUCT, VERSION } from "#api/product.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { nearMatch } from "#base/near-match.ts";
import { CATALOG, type CommandGroup, findEntry, GROUPS, PROGRAMS } from "./catalog.ts";
import type { CatalogEntry } from "./catalog/entry.ts";
import type { Command } from "./command.ts";
import { CommandFailure } from "./command-failure.ts";
import { describeError } from "./describe-error.ts";
import { FlagError } from "./flag-parser.ts";
import { type GlobalFlags, parseGlobalFlags, resolveTarget } from "./global-flags.ts";
import { headStart } from "./head-start.ts";
import { commandHelp } from "./help.ts";
import { type Output, realOutputs } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/** Docker's exit code for a command line that cannot be parsed and for what fails before a container runs. */
const BAD_FLAGS = 125;

/** Runs one command line (without the program's name) to its exit code. */
export async function runCommandLine(argv: readonly string[]): Promise<number> {
  const { out, error } = realOutputs();
  try {
    const global = parseGlobalFlags(argv);
    if (global.flags.version) {
      out.write(`${PRODUCT} version ${VERSION}\n`);
      return 0;
    }
    const called = resolveCommand(global.args);
    if (called.kind === "help" || global.wantsHelp) {
      const { groupHelp, programHelp } = await import("./top-help.ts");
      const group = called.kind === "help" ? called.group : undefined;
      out.write(group ? groupHelp(group) : programHelp(out.columns()));
      return 0;
    }
    const dialing = STARTERS.has(called.path) ? dialAhead(global.flags) : dial;
    const command = await called.entry.load();
    return await runCommand({ ...called, command }, { flags: global.flags, out, error, dial: dialing });
  } catch (failure) {
    error.write(usageText(failure, "", failure instanceof FlagError ? "[OPTIONS] COMMAND" : undefined));
    return failure instanceof FlagError ? BAD_FLAGS : 1;
  }
}

/** What these ask for first makes a process, or a container that is most often started at once. */
const STARTERS: ReadonlySet<string> = new Set(
  ["run", "create", "start", "exec"].flatMap((name) => [name, `container ${name}`]),
);

/** The engine learns of such a command while it loads. */
function dialAhead(flags: GlobalFlags["flags"]): Dial {
  try {
    return headStart(dial, resolveTarget(flags, process.env).host);
  } catch (error) {
    // No engine is named rightly: said when the command is read, with its exit code.
    if (error instanceof EngineError) return dial;
    throw error;
  }
}

type Called =
  | { readonly kind: "help"; readonly group?: CommandGroup }
  | {
      readonly kind: "command";
      readonly entry: CatalogEntry;
      readonly path: string;
      readonly argv: readonly string[];
    };

/** Finds the command that `args` begins with. @throws {UsageError} when there is none, with the nearest name */
function resolveCommand(args: readonly string[]): Called {
  const [first, second] = args;
  if (first === undefined || (first === "help" && second === undefined)) return { kind: "help" };
  if (first === "help") return resolveCommand([...args.slice(1), "--help"]);
  const group = GROUPS.find(({ name }) => name === first);
  if (group && (second === undefined || second === "--help" || second === "-h")) {
    return { kind: "help", group };
  }
  const path = group ? `${first} ${second}` : first;
  const entry = findEntry(path);
  if (!entry) throw unknownCommand(path);
  return { kind: "command", entry, path, argv: args.slice(group ? 2 : 1) };
}

interface World {
  readonly flags: Parameters<typeof resolveTarget>[0];
  readonly out: Output;
  readonly error: Output;
  readonly dial: Dial;
}

async function runCommand(
  called: Extract<Called, { kind: "command" }> & { readonly command: Command },
  world: World,
): Promise<number> {
  const { command, entry, path } = called;
  try {
    const prepared = command.prepare(path, called.argv);
    if (prepared.kind === "help") {
      const help = {
        path,
        usage: command.usage,
        summary: command.about ?? entry.summary,
        aliases: entry.paths,
        flags: command.flags,
      };
      world.out.write(commandHelp(help, world.out.columns()));
      return 0;
    }
    const { realContext } = await import("./real-context.ts");
    return await prepared.run(realContext(resolveTarget(world.flags, process.env), world));
  } catch (failure) {
    if (failure instanceof FlagError || failure instanceof UsageError) {
      world.error.write(usageText(failure, path, command.usage));
      return failure instanceof FlagError ? BAD_FLAGS : 1;
    }
    const text = describeError(failure, world.flags.debug);
    if (text !== "") {
      const more = command.isVerboseInFailure ? `\n\nRun 'darse ${path} --help' for more information` : "";
      world.error.write(`${command.isVerboseInFailure ? "darse: " : ""}${text}${more}\n`);
    }
    return failure instanceof CommandFailure ? failure.exitCode : command.failureCode;
  }
}

function usageText(failure: unknown, path: string, usage: string | undefined): string {
  const name = path === "" ? "darse" : `darse ${path}`;
  const usageLine = usage === undefined ? "" : `\nUsage:  ${name} ${usage}\n`;
  const prefix = failure instanceof FlagError ? "" : "darse: ";
  return `${prefix}${errorMessage(failure)}\n${usageLine}\nRun '${name} --help' for more information\n`;
}

function unknownCommand(path: string): UsageError {
  const [group, word = ""] = path.split(" ");
  const siblings = CATALOG.flatMap(({ paths }) => paths).filter((one) => one.startsWith(`${group} `));
  const top = [
    ...CATALOG.flatMap(({ paths }) => paths.filter((one) => !one.includes(" "))),
    ...GROUPS.map(({ name }) => name),
    ...PROGRAMS.map(([name]) => name),
  ];
  const near =
    word === ""
      ? nearMatch(path, top)
      : nearMatch(
          word,
          siblings.map((one) => one.slice(one.indexOf(" ") + 1)),
        );
  const hint = near === undefined ? "" : `\nDid you mean "darse ${word === "" ? near : `${group} ${near}`}"?`;
  return new UsageError(`unknown command: darse ${path}${hint}`);
}
