import type { DiskUsage, KindUsage } from "#api/disk-usage.ts";
import { humanSize } from "#base/sizes.ts";
import { type CommandContext, command } from "../command.ts";
import { BUILD_CACHE_LIST, buildCacheRow, sortBuildCache } from "../format/build-cache-row.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { TABLE_FORMAT_HELP } from "../format-flag.ts";
import { imageList, imageRows } from "./images.ts";
import { containerList, containerRow } from "./ps.ts";
import { VOLUME_LIST, volumeRow } from "./volume-ls.ts";

const LIST: ListFormat = {
  headers: {
    Type: "TYPE",
    TotalCount: "TOTAL",
    Active: "ACTIVE",
    Size: "SIZE",
    Reclaimable: "RECLAIMABLE",
  },
  columns: ["Type", "TotalCount", "Active", "Size", "Reclaimable"],
};

export const diskUsage = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    format: { type: "string", help: TABLE_FORMAT_HELP },
    verbose: { type: "bool", short: "v", help: "Show detailed information on space usage" },
  },
  async run(_args, { format, verbose }, context) {
    const usage = await context.client.system.diskUsage(verbose);
    const text = verbose
      ? await verboseText(usage, format, context)
      : await renderList(LIST, summaryRows(usage), { format, isQuiet: false });
    context.out.write(text);
    return 0;
  },
});

/** One row for each kind of object. */
export function summaryRows(usage: DiskUsage): Row[] {
  return [
    summaryRow("Images", usage.ImageUsage),
    summaryRow("Containers", usage.ContainerUsage),
    summaryRow("Local Volumes", usage.VolumeUsage),
    // Docker gives no share for the cache.
    {
      ...summaryRow("Build Cache", usage.BuildCacheUsage),
      Reclaimable: humanSize(freeable(usage.BuildCacheUsage)),
    },
  ];
}

function summaryRow(type: string, usage: KindUsage<unknown> | undefined): Row {
  const total = usage?.TotalSize ?? 0;
  const share = total > 0 ? ` (${Math.trunc((freeable(usage) * 100) / total)}%)` : "";
  return {
    Active: String(usage?.ActiveCount ?? 0),
    Reclaimable: `${humanSize(freeable(usage))}${share}`,
    Size: humanSize(total),
    TotalCount: String(usage?.TotalCount ?? 0),
    Type: type,
  };
}

function freeable(usage: KindUsage<unknown> | undefined): number {
  return usage?.Reclaimable ?? 0;
}

interface Details {
  readonly Images: readonly Row[];
  readonly Containers: readonly Row[];
  readonly Volumes: readonly Row[];
  readonly BuildCache: readonly Row[];
}

async function verboseText(
  usage: DiskUsage,
  format: string | undefined,
  context: CommandContext,
): Promise<string> {
  const isTable = format === undefined || format === "" || format === "table";
  const details = detailRows(usage, { isCut: isTable, nowMs: context.now() });
  if (isTable) return await tables(details, usage);
  const { Template } = await import("../format/template.ts");
  return new Template(format === "json" ? "{{json .}}\n" : format).render(details);
}

function detailRows(usage: DiskUsage, options: { isCut: boolean; nowMs: number }): Details {
  return {
    // The first name stands for all, so that sums are right.
    Images: (usage.ImageUsage?.Items ?? []).flatMap((image) => imageRows(image, options).slice(0, 1)),
    // Without the size of the image below, which the first table has.
    Containers: (usage.ContainerUsage?.Items ?? []).map((one) =>
      containerRow({ ...one, SizeRootFs: 0 }, options),
    ),
    Volumes: (usage.VolumeUsage?.Items ?? []).map(volumeRow),
    BuildCache: sortBuildCache(usage.BuildCacheUsage?.Items ?? []).map((record) =>
      buildCacheRow(record, options),
    ),
  };
}

async function tables(details: Details, usage: DiskUsage): Promise<string> {
  const table = (list: ListFormat, columns: readonly string[], rows: readonly Row[]): Promise<string> =>
    renderList({ ...list, columns }, rows, { format: undefined, isQuiet: false });
  const images = await table(imageList(false), IMAGE_COLUMNS, details.Images);
  const containers = await table(containerList(true), CONTAINER_COLUMNS, details.Containers);
  const volumes = await table(VOLUME_LIST, ["Name", "Links", "Size"], details.Volumes);
  const cache = await table(BUILD_CACHE_LIST, BUILD_CACHE_LIST.columns, details.BuildCache);
  return [
    `Images space usage:\n\n${images}`,
    `\nContainers space usage:\n\n${containers}`,
    `\nLocal Volumes space usage:\n\n${volumes}`,
    `\nBuild cache usage: ${humanSize(usage.BuildCacheUsage?.TotalSize ?? 0)}\n\n${cache}`,
  ].join("");
}

const IMAGE_COLUMNS = [
  "Repository",
  "Tag",
  "ID",
  "CreatedSince",
  "Size",
  "SharedSize",
  "UniqueSize",
  "Containers",
];

const CONTAINER_COLUMNS = ["ID", "Image", "Command", "LocalVolumes", "Size", "RunningFor", "Status", "Names"];
