import type { VolumeDocument } from "#api/volumes.ts";
import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { labelColumns } from "../format/label-columns.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { TABLE_FORMAT_HELP } from "../format-flag.ts";

const LIST: ListFormat = {
  headers: {
    Driver: "DRIVER",
    Labels: "LABELS",
    Links: "LINKS",
    Mountpoint: "MOUNTPOINT",
    Name: "VOLUME NAME",
    Scope: "SCOPE",
    Size: "SIZE",
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
  async run(_args, { cluster, filter, format, quiet }, context) {
    if (cluster) {
      throw new EngineError("unsupported", "Cannot list cluster volumes: there is no swarm mode");
    }
    const { Volumes: volumes } = await context.client.volumes.list(parseFilters(filter));
    context.out.write(await renderList(LIST, (volumes ?? []).map(volumeRow), { format, isQuiet: quiet }));
    return 0;
  },
});

/** Docker knows use and size only where it was asked to measure (`system df`). */
function volumeRow({ Driver, Labels, Mountpoint, Name, Scope }: VolumeDocument): Row {
  return { Driver, ...labelColumns(Labels ?? {}), Links: "N/A", Mountpoint, Name, Scope, Size: "N/A" };
}
