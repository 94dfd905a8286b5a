import { command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";
import { imagePruneFilters, prunedImageLines } from "../prune-images.ts";
import { printPruneReport } from "../prune-report.ts";

export const pruneImages = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Remove all unused images, not just dangling ones" },
    filter: {
      type: "list",
      metavar: "filter",
      help: 'Provide filter values (e.g. "until=<timestamp>")',
    },
    force: { type: "bool", short: "f", help: "Do not prompt for confirmation" },
  },
  async run(_args, { all, filter, force }, context) {
    const filters = imagePruneFilters(pruneFilters(filter, context), all);
    const warning = all
      ? "This will remove all images without at least one container associated to them."
      : "This will remove all dangling images.";
    if (!force && !(await confirm(context, warning))) return 0;
    const report = await context.client.images.prune(filters);
    printPruneReport(context.out, {
      heading: "Deleted Images:",
      names: prunedImageLines(report),
      bytes: report.SpaceReclaimed,
    });
    return 0;
  },
});
