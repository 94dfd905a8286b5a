import type { ContainerPorts, PortsReport, PublishedPort, Reach } from "#api/ports.ts";
import type { PortReport, Reach as FoundReach } from "#network/ports/port-report.ts";
import type { PortSurvey } from "#network/ports/port-survey.ts";
import { json, type Route } from "../http/route.ts";

export interface PortRoutesOptions {
  /** Looks at ports and firewall now. */
  readonly survey: () => Promise<PortSurvey>;
  /** Every container's name by its id: build steps are attached too, and are none. */
  readonly containerNames: () => ReadonlyMap<string, string>;
}

/** `GET /darse/ports`: one view of who can reach what. Ours alone. */
export function portRoutes({ survey, containerNames }: PortRoutesOptions): Route[] {
  return [
    {
      method: "GET",
      path: "/darse/ports",
      async handle() {
        const { containers, unseen } = await survey();
        const names = containerNames();
        const known = containers.filter(({ id }) => names.has(id));
        const report: PortsReport = {
          Containers: known
            .map((one) => encodeContainer(one, names.get(one.id) ?? one.name))
            .toSorted((left, right) => left.Name.localeCompare(right.Name)),
          Unseen: unseen,
        };
        return json(report);
      },
    },
  ];
}

function encodeContainer(container: PortSurvey["containers"][number], name: string): ContainerPorts {
  return {
    Id: container.id,
    Name: name,
    Networks: container.networks.map(({ name: network, ipv4, ipv6 }) => ({
      Name: network,
      Addresses: [ipv4, ipv6].filter((one) => one !== undefined),
    })),
    Ports: container.reports.map(encodePort),
  };
}

function encodePort(port: PortReport): PublishedPort {
  return {
    PrivatePort: port.containerPort,
    Type: port.protocol,
    IP: port.hostIp,
    PublicPort: port.hostPort,
    CarriedBy: port.carriedBy,
    Loopback: encodeReach(port.loopback),
    Outside: encodeReach(port.outside),
    Containers: encodeReach(port.containers),
  };
}

function encodeReach({ state, blockers }: FoundReach): Reach {
  return {
    State: state,
    Blockers: blockers.map(({ firewall, rule, remedy }) => ({
      Firewall: firewall,
      Rule: rule,
      Remedy: remedy,
    })),
  };
}
