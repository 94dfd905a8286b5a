import type { NetworkSummary } from "#api/networks.ts";
import { shortId } from "#base/ids.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { goTime } from "../format/human-time.ts";
import { labelColumns } from "../format/label-columns.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { formatOf, TABLE_FORMAT_HELP } from "../format-flag.ts";

const LIST: ListFormat = {
  headers: {
    CreatedAt: "CREATED AT",
    Driver: "DRIVER",
    ID: "NETWORK ID",
    IPv4: "IPV4",
    IPv6: "IPV6",
    Internal: "INTERNAL",
    Labels: "LABELS",
    Name: "NAME",
    Scope: "SCOPE",
  },
  columns: ["ID", "Name", "Driver", "Scope"],
};

export const listNetworks = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: 'Provide filter values (e.g. "driver=bridge")',
    },
    format: { type: "string", help: TABLE_FORMAT_HELP },
    noTrunc: { type: "bool", help: "Do not truncate the output" },
    quiet: { type: "bool", short: "q", help: "Only display network IDs" },
  },
  async run(_args, flags, context) {
    const { filter, noTrunc, quiet } = flags;
    const format = formatOf("networks", flags, context);
    const networks = await context.client.networks.list(parseFilters(filter));
    const rows = networks
      .toSorted((one, other) => (one.Name < other.Name ? -1 : 1))
      .map((network) => networkRow(network, !noTrunc));
    context.out.write(await renderList(LIST, rows, { format, isQuiet: quiet }));
    return 0;
  },
});

function networkRow(network: NetworkSummary, isCut: boolean): Row {
  return {
    CreatedAt: goTime(Date.parse(network.Created)),
    Driver: network.Driver,
    ID: isCut ? shortId(network.Id) : network.Id,
    IPv4: String(network.EnableIPv4),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    ...labelColumns(network.Labels ?? {}),
    Name: network.Name,
    Scope: network.Scope,
  };
}
