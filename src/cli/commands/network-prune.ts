import { command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";

export const pruneNetworks = command({
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
    const warning = "This will remove all custom networks not used by at least one container.";
    if (!force && !(await confirm(context, warning))) return 0;
    const { NetworksDeleted: names } = await context.client.networks.prune(pruneFilters(filter, context));
    // An empty line follows the list, as in Docker.
    if (names && names.length > 0) context.out.write(`Deleted Networks:\n${names.join("\n")}\n\n`);
    return 0;
  },
});
