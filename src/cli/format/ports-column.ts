import type { PortSummary } from "#api/containers.ts";

interface Group {
  readonly first: number;
  readonly last: number;
}

/**
 * The PORTS cell: `0.0.0.0:80-81->80-81/tcp, 90/udp, 0.0.0.0:8080->8000/tcp`; neighbouring ports published under their own numbers are
 * merged (docker/cli `formatter.DisplayablePorts`).
 */
export function portsColumn(ports: readonly PortSummary[]): string {
  const groups = new Map<string, Group>();
  const merged: string[] = [];
  const single: string[] = [];
  for (const port of [...ports].toSorted(byPort)) {
    if (port.IP && port.PublicPort !== port.PrivatePort) {
      single.push(`${address(port.IP)}:${port.PublicPort ?? 0}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = port.IP ? `${address(port.IP)}/${port.Type}` : port.Type;
    const group = groups.get(key);
    if (group && port.PrivatePort === group.last + 1) {
      groups.set(key, { first: group.first, last: port.PrivatePort });
      continue;
    }
    if (group) merged.push(formatGroup(key, group));
    groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
  }
  for (const [key, group] of groups) merged.push(formatGroup(key, group));
  return [...merged, ...single].join(", ");
}

function formatGroup(key: string, { first, last }: Group): string {
  const slash = key.lastIndexOf("/");
  const range = first === last ? String(first) : `${first}-${last}`;
  if (slash === -1) return `${range}/${key}`;
  return `${key.slice(0, slash)}:${range}->${range}/${key.slice(slash + 1)}`;
}

function byPort(a: PortSummary, b: PortSummary): number {
  if (a.PrivatePort !== b.PrivatePort) return a.PrivatePort - b.PrivatePort;
  if ((a.IP ?? "") !== (b.IP ?? "")) return (a.IP ?? "") < (b.IP ?? "") ? -1 : 1;
  if (a.PublicPort !== b.PublicPort) return (a.PublicPort ?? 0) - (b.PublicPort ?? 0);
  return a.Type < b.Type ? -1 : a.Type > b.Type ? 1 : 0;
}

function address(ip: string): string {
  return ip.includes(":") ? `[${ip}]` : ip;
}
