import { ApiError } from "#api/api-error.ts";
import { command, type CommandContext } from "../command.ts";
import { renderList } from "../format/list-format.ts";
import { formatOf, TABLE_FORMAT_HELP } from "../format-flag.ts";
import { StatsCollector } from "../stats-collector.ts";
import { STATS_LIST, type StatsEntry, statsRow } from "../stats-row.ts";

/** How often the screen is drawn. */
const PERIOD_MS = 500;

export const stats = command({
  usage: "[OPTIONS] [CONTAINER...]",
  arguments: { min: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Show all containers (default shows just running)" },
    format: { type: "string", help: TABLE_FORMAT_HELP },
    noStream: { type: "bool", help: "Disable streaming stats and only pull the first result" },
    noTrunc: { type: "bool", help: "Do not truncate output" },
  },
  async run(args, { all, format: given, noStream, noTrunc }, context) {
    const format = formatOf("stats", { format: given }, context);
    const render = (entries: readonly StatsEntry[]): Promise<string> =>
      renderList(
        STATS_LIST,
        entries.map((entry) => statsRow(entry, !noTrunc)),
        { format, isQuiet: false },
      );
    // What can not be understood is refused before anything is asked.
    await render([]);
    const names = [...new Set(args)];
    return noStream
      ? await once(names, { all, render, context })
      : await live(names, { all, render, context });
  },
});

interface View {
  readonly all: boolean;
  readonly render: (entries: readonly StatsEntry[]) => Promise<string>;
  readonly context: CommandContext;
}

async function once(names: readonly string[], { all, render, context }: View): Promise<number> {
  const { client } = context;
  const wanted = names.length > 0 ? names : (await client.listContainers({ all })).map(({ Id }) => Id);
  const asked = await Promise.allSettled(wanted.map((id) => client.watch.stats(id)));
  const failures = asked.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : []));
  // One that went away since the list was made is not missed; one that was asked for by name is.
  const fatal = names.length > 0 ? failures : failures.filter((error) => !isGone(error));
  if (fatal.length > 0) throw failureOf(fatal);
  const entries = asked.flatMap((one, i) =>
    one.status === "fulfilled" ? [{ container: wanted[i] ?? "", stats: one.value }] : [],
  );
  context.out.write(await render(entries));
  return 0;
}

/** Draws until it is interrupted, or until all that was asked for by name is gone. */
async function live(names: readonly string[], { all, render, context }: View): Promise<number> {
  const over = new AbortController();
  using _signals = context.onSignals(["SIGINT", "SIGTERM"], () => over.abort());
  const collector = new StatsCollector(context.client, over.signal);
  try {
    if (names.length > 0) await collector.follow(names);
    else await collector.followAll({ all, nowMs: context.now() });
    const failures = collector.failures();
    if (names.length > 0 && failures.length > 0) throw failureOf(failures);
    const screen = new Screen(context);
    while (!over.signal.aborted) {
      screen.draw(await render(collector.entries()));
      if (names.length > 0 && collector.isOver) break;
      await collector.wait(PERIOD_MS);
    }
    return 0;
  } finally {
    over.abort();
  }
}

/** Draws over what it drew before; where it is no terminal, one drawing follows another. */
class Screen {
  readonly #context: CommandContext;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  draw(text: string): void {
    const { out } = this.#context;
    // To the corner; each line to its end, then what is below.
    if (out.isTerminal) out.write(`\u001b[H${text.replaceAll("\n", "\u001b[K\n")}\u001b[J`);
    else out.write(text);
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

function failureOf(failures: readonly unknown[]): unknown {
  return failures.length === 1 ? failures[0] : new AggregateError(failures);
}
