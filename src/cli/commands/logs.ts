import { command } from "../command.ts";
import { parseTimestamp } from "#base/timestamp.ts";
import { copyOutput } from "../stream-session.ts";

export const logs = command({
  usage: "[OPTIONS] CONTAINER",
  arguments: { min: 1, max: 1 },
  flags: {
    details: { type: "bool", help: "Show extra details provided to logs" },
    follow: { type: "bool", short: "f", help: "Follow log output" },
    since: {
      type: "string",
      help: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
    tail: {
      type: "string",
      short: "n",
      defaultText: '"all"',
      help: "Number of lines to show from the end of the logs",
    },
    timestamps: { type: "bool", short: "t", help: "Show timestamps" },
    until: {
      type: "string",
      help: 'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)',
    },
  },
  async run([id = ""], flags, context) {
    const time = (text: string | undefined): string | undefined =>
      text === undefined ? undefined : parseTimestamp(text, context.now());
    const container = await context.client.inspectContainer(id);
    const output = context.client.containerLogs(container.Id, {
      follow: flags.follow,
      since: time(flags.since),
      until: time(flags.until),
      timestamps: flags.timestamps,
      tail: flags.tail ?? "all",
      details: flags.details,
    });
    await copyOutput(context, output, container.Config.Tty);
    return 0;
  },
});
