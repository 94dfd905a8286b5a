import { command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";
import { printPruneReport } from "../prune-report.ts";

export const pruneContainers = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    filter: {
      type: "list",
      metavar: "filter",
      help: 'Provide filter values (e.g. "until=<timestamp>")',
    },
    force: { type: "bool", short: "f", help: "Do not prompt for confirmation" },
  },
  async run(_args, { filter, force }, context) {
    if (!force && !(await confirm(context, "This will remove all stopped containers."))) return 0;
    const report = await context.client.pruneContainers(pruneFilters(filter, context));
    const names = report.ContainersDeleted ?? [];
    printPruneReport(context.out, { heading: "Deleted Containers:", names, bytes: report.SpaceReclaimed });
    return 0;
  },
});
