import { command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";
import { printPruneReport } from "../prune-report.ts";

export const pruneBuildCache = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Remove all unused build cache, not just dangling ones" },
    filter: { type: "list", metavar: "filter", help: 'Provide filter values (e.g. "until=24h")' },
    force: { type: "bool", short: "f", help: "Do not prompt for confirmation" },
    keepStorage: { type: "bytes", help: "Amount of disk space to keep for cache" },
  },
  async run(_args, { all, filter, force, keepStorage }, context) {
    const warning = `This will remove all ${all ? "" : "dangling "}build cache.`;
    if (!force && !(await confirm(context, warning))) return 0;
    const query = { all, "reserved-space": keepStorage, "keep-storage": keepStorage };
    const report = await context.client.system.pruneBuildCache(query, pruneFilters(filter, context));
    printPruneReport(context.out, {
      heading: "Deleted build cache objects:",
      names: report.CachesDeleted ?? [],
      bytes: report.SpaceReclaimed,
    });
    return 0;
  },
});
