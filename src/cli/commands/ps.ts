import type { ContainerSummary } from "#api/containers.ts";
import { shortId } from "#base/ids.ts";
import { humanSize } from "#base/sizes.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { ellipsis } from "../format/ellipsis.ts";
import { goTime, humanDuration } from "../format/human-time.ts";
import { labelColumns } from "../format/label-columns.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { portsColumn } from "../format/ports-column.ts";
import { formatOf, TABLE_FORMAT_HELP } from "../format-flag.ts";

export const ps = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    all: { type: "bool", short: "a", help: "Show all containers (default shows just running)" },
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: "Filter output based on conditions provided",
    },
    format: { type: "string", help: TABLE_FORMAT_HELP },
    last: {
      type: "int",
      short: "n",
      defaultText: "-1",
      help: "Show n last created containers (includes all states)",
    },
    latest: { type: "bool", short: "l", help: "Show the latest created container (includes all states)" },
    noTrunc: { type: "bool", help: "Don't truncate output" },
    quiet: { type: "bool", short: "q", help: "Only display container IDs" },
    size: { type: "bool", short: "s", help: "Display total file sizes" },
  },
  async run(_args, flags, context) {
    const format = formatOf("ps", flags, context);
    const limit = flags.latest ? 1 : (flags.last ?? -1);
    const size = flags.size || /\{\{[^}]*\.Size\b/.test(format ?? "");
    const query = { all: flags.all || limit > 0, limit: limit > 0 ? limit : undefined, size };
    const containers = await context.client.listContainers(query, parseFilters(flags.filter));
    const rows = containers.map((one) => containerRow(one, { isCut: !flags.noTrunc, nowMs: context.now() }));
    context.out.write(await renderList(containerList(flags.size), rows, { format, isQuiet: flags.quiet }));
    return 0;
  },
});

/** The table of containers. */
export function containerList(hasSize: boolean): ListFormat {
  const columns = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];
  return {
    headers: {
      ID: "CONTAINER ID",
      Names: "NAMES",
      Image: "IMAGE",
      Command: "COMMAND",
      CreatedAt: "CREATED AT",
      RunningFor: "CREATED",
      Ports: "PORTS",
      State: "STATE",
      Status: "STATUS",
      Size: "SIZE",
      Labels: "LABELS",
      Mounts: "MOUNTS",
      LocalVolumes: "LOCAL VOLUMES",
      Networks: "NETWORKS",
      Platform: "PLATFORM",
    },
    columns: hasSize ? [...columns, "Size"] : columns,
  };
}

export interface RowOptions {
  /** Ids, commands and mounts are shortened. */
  readonly isCut: boolean;
  readonly nowMs: number;
}

/** The columns of one container (docker/cli `formatter/container.go`). */
export function containerRow(container: ContainerSummary, { isCut, nowMs }: RowOptions): Row {
  const cut = (text: string, length: number): string => (isCut ? ellipsis(text, length) : text);
  const names = container.Names.map((name) => name.replace(/^\//, ""));
  return {
    Command: JSON.stringify(cut(container.Command, 20)),
    get CreatedAt() {
      return goTime(container.Created * 1000);
    },
    ID: isCut ? shortId(container.Id) : container.Id,
    Image: imageName(container, isCut),
    ...labelColumns(container.Labels ?? {}),
    LocalVolumes: String((container.Mounts ?? []).filter((mount) => mount.Driver === "local").length),
    Mounts: (container.Mounts ?? []).map((mount) => cut(mount.Name || mount.Source, 15)).join(","),
    Names: (isCut ? names.filter((name) => !name.includes("/")) : names).join(","),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
    Ports: portsColumn(container.Ports ?? []),
    RunningFor: `${humanDuration(nowMs - container.Created * 1000)} ago`,
    Size: sizeColumn(container),
    State: container.State,
    Status: container.Status,
  };
}

function imageName(container: ContainerSummary, isCut: boolean): string {
  if (container.Image === "") return "<no image>";
  const isId = shortId(container.Image) === shortId(container.ImageID);
  return isCut && isId ? shortId(container.Image) : container.Image;
}

function sizeColumn(container: ContainerSummary): string {
  const own = humanSize(container.SizeRw ?? 0, 3);
  return (container.SizeRootFs ?? 0) > 0
    ? `${own} (virtual ${humanSize(container.SizeRootFs ?? 0, 3)})`
    : own;
}
