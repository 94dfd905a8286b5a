import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";
import { printPruneReport } from "../prune-report.ts";

export const pruneVolumes = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Remove all unused volumes, not just anonymous ones" },
    filter: { type: "list", metavar: "filter", help: 'Provide filter values (e.g. "label=<label>")' },
    force: { type: "bool", short: "f", help: "Do not prompt for confirmation" },
  },
  async run(_args, { all, filter, force }, context) {
    const filters = pruneFilters(filter, context);
    if (all && filters["all"] !== undefined) {
      throw new EngineError("invalid", "conflicting options: cannot specify both --all and --filter all=1");
    }
    const which = all ? "all" : "anonymous";
    const warning = `This will remove ${which} local volumes not used by at least one container.`;
    if (!force && !(await confirm(context, warning))) return 0;
    const report = await context.client.volumes.prune({ ...filters, ...(all && { all: ["true"] }) });
    const names = report.VolumesDeleted ?? [];
    printPruneReport(context.out, { heading: "Deleted Volumes:", names, bytes: report.SpaceReclaimed });
    return 0;
  },
});
