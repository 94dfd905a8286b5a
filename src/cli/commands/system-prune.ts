import { EngineError } from "#base/errors.ts";
import { humanSize } from "#base/sizes.ts";
import type { Filters } from "#api/client.ts";
import { type CommandContext, command } from "../command.ts";
import { confirm } from "../confirm.ts";
import { pruneFilters } from "../filters.ts";
import { imagePruneFilters, prunedImageLines } from "../prune-images.ts";

export const pruneSystem = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Remove all unused images not just dangling ones" },
    filter: {
      type: "list",
      metavar: "filter",
      help: 'Provide filter values (e.g. "label=<key>=<value>")',
    },
    force: { type: "bool", short: "f", help: "Do not prompt for confirmation" },
    volumes: { type: "bool", help: "Prune anonymous volumes" },
  },
  async run(_args, { all, filter, force, volumes }, context) {
    const filters = pruneFilters(filter, context);
    if (volumes && filters["until"]) {
      throw new EngineError("invalid", 'ERROR: The "until" filter is not supported with "--volumes"');
    }
    const stages = STAGES.filter(({ isOfVolumes }) => volumes || !isOfVolumes);
    if (!force && !(await confirm(context, warning(stages, { all, filters })))) return 0;
    let bytes = 0;
    for (const stage of stages) {
      const { heading, names, freed } = await stage.run(context, { all, filters });
      if (names.length > 0) context.out.write(`${heading}\n${names.map((name) => `${name}\n`).join("")}\n`);
      bytes += freed;
    }
    context.out.write(`Total reclaimed space: ${humanSize(bytes)}\n`);
    return 0;
  },
});

interface Options {
  readonly all: boolean;
  readonly filters: Filters;
}

interface Outcome {
  readonly heading: string;
  readonly names: readonly string[];
  readonly freed: number;
}

interface Stage {
  readonly what: (all: boolean) => string;
  readonly isOfVolumes?: boolean;
  run(context: CommandContext, options: Options): Promise<Outcome>;
}

/** In this order what uses others goes before them, so that they are unused when their turn comes. */
const STAGES: readonly Stage[] = [
  {
    what: () => "all stopped containers",
    async run({ client }, { filters }) {
      const report = await client.pruneContainers(filters);
      return {
        heading: "Deleted Containers:",
        names: report.ContainersDeleted ?? [],
        freed: report.SpaceReclaimed,
      };
    },
  },
  {
    what: () => "all networks not used by at least one container",
    async run({ client }, { filters }) {
      const report = await client.networks.prune(filters);
      return { heading: "Deleted Networks:", names: report.NetworksDeleted ?? [], freed: 0 };
    },
  },
  {
    what: () => "all anonymous volumes not used by at least one container",
    isOfVolumes: true,
    async run({ client }, { filters }) {
      const report = await client.volumes.prune(filters);
      return {
        heading: "Deleted Volumes:",
        names: report.VolumesDeleted ?? [],
        freed: report.SpaceReclaimed,
      };
    },
  },
  {
    what: (all) =>
      all ? "all images without at least one container associated to them" : "all dangling images",
    async run({ client }, { all, filters }) {
      const report = await client.images.prune(imagePruneFilters(filters, all));
      return { heading: "Deleted Images:", names: prunedImageLines(report), freed: report.SpaceReclaimed };
    },
  },
  {
    what: (all) => (all ? "all build cache" : "unused build cache"),
    async run({ client }, { all, filters }) {
      const report = await client.system.pruneBuildCache({ all }, filters);
      return {
        heading: "Deleted build cache objects:",
        names: report.CachesDeleted ?? [],
        freed: report.SpaceReclaimed,
      };
    },
  },
];

/** What goes, and by which filters less of it does; Docker's form. */
function warning(stages: readonly Stage[], { all, filters }: Options): string {
  const kinds = stages.map(({ what }) => `\n  - ${what(all)}`).join("");
  const shown = ["label", "label!", "until"]
    .flatMap((key) => (filters[key] ?? []).map((value) => `\n  - ${key}=${value}`))
    .toSorted();
  const filtered =
    shown.length === 0 ? "" : `\n  Items to be pruned will be filtered with:${shown.join("")}\n`;
  return `This will remove:${kinds}\n${filtered}`;
}
