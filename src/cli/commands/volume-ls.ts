import type { VolumeDocument } from "#api/volumes.ts";
import { EngineError } from "#base/errors.ts";
import { humanSize } from "#base/sizes.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { labelColumns } from "../format/label-columns.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { formatOf, TABLE_FORMAT_HELP } from "../format-flag.ts";

export const VOLUME_LIST: ListFormat = {
  headers: {
    Availability: "AVAILABILITY",
    Driver: "DRIVER",
    Group: "GROUP",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Served: "SERVED",
    Size: "SIZE",
    Status: "STATUS",
  },
  columns: ["Driver", "Name"],
  quietColumn: "Name",
};

export const listVolumes = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    cluster: {
      type: "bool",
      hidden: true,
      help: "Display only cluster volumes, and use cluster volume list formatting",
    },
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: 'Provide filter values (e.g. "dangling=true")',
    },
    format: { type: "string", help: TABLE_FORMAT_HELP },
    quiet: { type: "bool", short: "q", help: "Only display volume names" },
  },
  async run(_args, flags, context) {
    const { cluster, filter, quiet } = flags;
    const format = formatOf("volumes", flags, context);
    if (cluster) {
      throw new EngineError("unsupported", "Cannot list cluster volumes: there is no swarm mode");
    }
    const { Volumes: volumes } = await context.client.volumes.list(parseFilters(filter));
    const list = context.out.isTerminal ? withServed(volumes ?? []) : VOLUME_LIST;
    context.out.write(await renderList(list, (volumes ?? []).map(volumeRow), { format, isQuiet: quiet }));
    return 0;
  },
});

/** People find lost data by whom a nameless volume served; programs get docker's own table. */
function withServed(volumes: readonly VolumeDocument[]): ListFormat {
  const isKnown = volumes.some(({ Status }) => Status !== undefined);
  return isKnown ? { ...VOLUME_LIST, columns: [...VOLUME_LIST.columns, "Served"] } : VOLUME_LIST;
}

/** The columns of one volume. Use and size are known only where they were measured (`system df`). */
export function volumeRow({
  Driver,
  Labels,
  Mountpoint,
  Name,
  Scope,
  Status,
  UsageData,
}: VolumeDocument): Row {
  const served = Status && `${Status.ContainerName} (${Status.Image}) ${Status.Path}`;
  return {
    Availability: "N/A",
    Driver,
    Group: "N/A",
    ...labelColumns(Labels ?? {}),
    Links: UsageData ? String(UsageData.RefCount) : "N/A",
    Mountpoint,
    Name,
    Scope,
    Size: UsageData ? humanSize(UsageData.Size) : "N/A",
    Served: served ?? "",
    // Whose data these are, when nobody named the volume.
    Status: served ?? "N/A",
  };
}
