import { errorMessage } from "#base/errors.ts";
import { hasLegacyRules, readRules } from "#linux/firewall.ts";
import { Rtnetlink } from "#linux/netlink/rtnetlink.ts";
import type { Attachment } from "../attachment.ts";
import { uplinkName } from "../host-view.ts";
import { decodeFirewallRules } from "./firewall-rules.ts";
import type { FirewallRules } from "./firewall-rules.ts";
import { reportPorts } from "./port-report.ts";
import type { PortReport, PublishingContainer } from "./port-report.ts";

export interface PortSurveyOptions {
  readonly attachments: readonly Attachment[];
  /** The host's interface of a network, by the network's id. */
  readonly bridgeOf: (networkId: string) => string | undefined;
  /** Our own nftables tables. */
  readonly ours: ReadonlySet<string>;
}

export interface PortSurvey {
  readonly containers: readonly (PublishingContainer & { readonly reports: readonly PortReport[] })[];
  /** What could not be seen, in sentences. */
  readonly unseen: readonly string[];
}

/** One look at who can reach what: our records, the host's rules and its routes, of one moment. */
export async function surveyPorts(options: PortSurveyOptions): Promise<PortSurvey> {
  const unseen: string[] = [];
  const rules = await rulesOfHost(unseen);
  if (hasLegacyRules()) {
    unseen.push(
      "Rules of iptables-legacy are in force, which nft does not show: iptables-legacy -L FORWARD -v",
    );
  }
  using host = Rtnetlink.open();
  const view = { links: host.links(), addresses: host.addresses(), routes: host.routes() };
  const uplink = uplinkName(view);
  const firewall = {
    ours: options.ours,
    ...(rules && { rules }),
    ...(uplink !== undefined && { uplink }),
  };
  const containers = options.attachments.map((attachment) => {
    const container = publishing(attachment, options.bridgeOf);
    return { ...container, reports: reportPorts(container, firewall) };
  });
  return { containers, unseen };
}

async function rulesOfHost(unseen: string[]): Promise<FirewallRules | undefined> {
  try {
    return decodeFirewallRules(await readRules());
  } catch (error) {
    // The ports are worth telling of all the same.
    unseen.push(errorMessage(error));
    return undefined;
  }
}

function publishing(
  { id, name, endpoints, ports }: Attachment,
  bridgeOf: PortSurveyOptions["bridgeOf"],
): PublishingContainer {
  const networks = endpoints.map(({ networkId, networkName, ipv4, ipv6 }) => {
    const bridge = bridgeOf(networkId);
    return {
      name: networkName,
      ...(ipv4 !== undefined && { ipv4 }),
      ...(ipv6 !== undefined && { ipv6 }),
      ...(bridge !== undefined && { bridge }),
    };
  });
  return { id, name, networks, ports };
}
