import type { ContainerPorts, PortsReport, PublishedPort, Reach } from "#api/ports.ts";
import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { command } from "../command.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { TABLE_FORMAT_HELP } from "../format-flag.ts";

const PORTS: ListFormat = {
  headers: {
    Container: "CONTAINER",
    ID: "CONTAINER ID",
    Port: "PORT",
    Published: "PUBLISHED AT",
    Loopback: "THIS HOST",
    Outside: "OTHER HOSTS",
    Containers: "CONTAINERS",
    CarriedBy: "CARRIED BY",
  },
  columns: ["Container", "Port", "Published", "Loopback", "Outside", "Containers", "CarriedBy"],
};

const ADDRESSES: ListFormat = {
  headers: { Container: "CONTAINER", Network: "NETWORK", Addresses: "ADDRESSES" },
  columns: ["Container", "Network", "Addresses"],
};

export const ports = command({
  usage: "[OPTIONS] [CONTAINER...]",
  about: `Show who can reach which port of which container: this host, other hosts, containers.
Rules of the host's firewall are counted in, and those that block are named.`,
  arguments: { min: 0 },
  flags: {
    format: { type: "string", help: TABLE_FORMAT_HELP },
    noTrunc: { type: "bool", help: "Don't truncate output" },
  },
  async run(names, { format, noTrunc }, context) {
    const report = await context.client.system.ports();
    const containers = names.length === 0 ? report.Containers : names.map((name) => find(report, name));
    const rows = containers.flatMap((container) => portRows(container, !noTrunc));
    context.out.write(await renderList(PORTS, rows, { format, isQuiet: false }));
    if (format === undefined || format === "" || format === "table") {
      context.out.write(blockedText(containers) + (await addressText(containers)));
    }
    for (const sentence of report.Unseen) context.error.write(`WARNING: ${sentence}\n`);
    return 0;
  },
});

/** By its name, or the beginning of its id. */
function find(report: PortsReport, name: string): ContainerPorts {
  const found =
    report.Containers.find(({ Id, Name }) => Name === name || Id === name) ??
    report.Containers.find(({ Id }) => Id.startsWith(name));
  if (!found) throw new EngineError("not-found", `No such running container: ${name}`);
  return found;
}

function portRows({ Id, Name, Ports }: ContainerPorts, isCut: boolean): Row[] {
  return Ports.map((port) => ({
    CarriedBy: port.CarriedBy,
    Container: Name,
    Containers: reach(port.Containers),
    ID: isCut ? shortId(Id) : Id,
    Loopback: reach(port.Loopback),
    Outside: reach(port.Outside),
    Port: `${port.PrivatePort}/${port.Type}`,
    Published: place(port),
  }));
}

function reach({ State }: Reach): string {
  return State === "not-published" ? "-" : State;
}

function place({ IP, PublicPort }: PublishedPort): string {
  return `${IP.includes(":") ? `[${IP}]` : IP}:${PublicPort}`;
}

/** What stands in the way of whom, and how to let it pass. */
function blockedText(containers: readonly ContainerPorts[]): string {
  const paragraphs = containers.flatMap(({ Name, Ports }) =>
    Ports.flatMap((port) =>
      [
        ["this host", port.Loopback] as const,
        ["other hosts", port.Outside] as const,
        ["containers", port.Containers] as const,
      ].flatMap(([who, { Blockers, State }]) => {
        const head = `\n${place(port)} (${Name}) is ${State} for ${who}:\n`;
        const lines = Blockers.map(
          ({ Firewall, Remedy, Rule }) => `  ${Firewall}: ${Rule}\n  let it pass: ${Remedy}\n`,
        );
        return lines.length === 0 ? [] : [head + lines.join("")];
      }),
    ),
  );
  return paragraphs.join("");
}

/** Containers have addresses of their own, which publishing does not change. */
async function addressText(containers: readonly ContainerPorts[]): Promise<string> {
  const rows = containers.flatMap(({ Name, Networks }) =>
    Networks.filter(({ Addresses }) => Addresses.length > 0).map((network) => ({
      Addresses: network.Addresses.join(", "),
      Container: Name,
      Network: network.Name,
    })),
  );
  if (rows.length === 0) return "";
  const table = await renderList(ADDRESSES, rows, { format: undefined, isQuiet: false });
  return `\nEvery port, from this host and from containers of the same network:\n${table}`;
}
