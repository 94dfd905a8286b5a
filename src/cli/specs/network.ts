import type { EndpointSettings } from "#api/containers.ts";
import type { Sparse } from "#api/sparse.ts";
import { EngineError } from "#base/errors.ts";
import { isAddress } from "./ip.ts";
import { cutAt, parseCsv } from "./key-values.ts";
import { checkLink } from "./link.ts";

export interface NetworkFlags {
  readonly networks: readonly string[];
  readonly aliases: readonly string[];
  readonly ip: string | undefined;
  readonly ip6: string | undefined;
  readonly linkLocalIps: readonly string[];
  readonly macAddress: string | undefined;
  readonly links: readonly string[];
}

export interface Networking {
  /** The first network, by which the container starts; `default` when none was named. */
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, Sparse<EndpointSettings>>>;
}

/** One `--network`, whatever its form. */
interface Attachment {
  name: string;
  aliases: readonly string[];
  links: readonly string[];
  linkLocalIps: readonly string[];
  driverOptions: Readonly<Record<string, string>>;
  ip?: string;
  ip6?: string;
  macAddress?: string;
  gwPriority?: number;
}

/**
 * `--network` in both forms (`web`, `name=web,alias=a,ip=10.0.0.2`); the flags beside it are for the first network.
 *
 * @throws {EngineError} invalid, in Docker's words (docker/cli `opts/network.go`, `container/opts.go`)
 */
export function parseNetworking(flags: NetworkFlags): Networking {
  const named = flags.networks.map(parseNetwork);
  const first = refine(named[0] ?? plain("default"), flags);
  const endpoints: Record<string, Sparse<EndpointSettings>> = {};
  for (const attachment of [first, ...named.slice(1)]) {
    if (endpoints[attachment.name]) {
      throw new EngineError("invalid", `network "${attachment.name}" is specified multiple times`);
    }
    endpoints[attachment.name] = endpointSettings(attachment);
  }
  const kinds = new Set(named.map(({ name }) => isUserDefined(name)));
  if (kinds.size > 1) {
    throw new EngineError(
      "invalid",
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  }
  // One network that nothing more is said of is named by the mode alone.
  const isPlain = named.length < 2 && Object.keys(endpoints[first.name] ?? {}).length === 0;
  return { mode: first.name, endpoints: isPlain ? {} : endpoints };
}

function isUserDefined(name: string): boolean {
  return !["default", "bridge", "host", "none"].includes(name) && !name.startsWith("container:");
}

function plain(name: string): Attachment {
  return { name, aliases: [], links: [], linkLocalIps: [], driverOptions: {} };
}

/** Adds the flags; what was said in both ways is refused. */
function refine(attachment: Attachment, flags: NetworkFlags): Attachment {
  const { aliases, links, linkLocalIps, ip, ip6, macAddress } = flags;
  const conflicts: readonly (readonly [boolean, string])[] = [
    [attachment.aliases.length > 0 && aliases.length > 0, "--network-alias and per-network alias"],
    [attachment.ip !== undefined && ip !== undefined, "--ip and per-network IPv4 address"],
    [attachment.ip6 !== undefined && ip6 !== undefined, "--ip6 and per-network IPv6 address"],
    [
      attachment.macAddress !== undefined && macAddress !== undefined,
      "--mac-address and per-network MAC address",
    ],
    [
      attachment.linkLocalIps.length > 0 && linkLocalIps.length > 0,
      "--link-local-ip and per-network link-local IP addresses",
    ],
  ];
  const both = conflicts.find(([isGiven]) => isGiven)?.[1];
  if (both) throw new EngineError("invalid", `conflicting options: cannot specify both ${both}`);
  return {
    ...attachment,
    ...(aliases.length > 0 && { aliases }),
    // On the default bridge a link is a setting of the container instead.
    ...(links.length > 0 && isUserDefined(attachment.name) && { links: links.map(checkLink) }),
    ...(linkLocalIps.length > 0 && { linkLocalIps }),
    ...(ip !== undefined && { ip }),
    ...(ip6 !== undefined && { ip6 }),
    ...(macAddress !== undefined && { macAddress }),
  };
}

function parseNetwork(text: string): Attachment {
  if (!/^[a-z0-9-]+=/i.test(text)) return plain(text.trim());
  const attachment = plain("");
  for (const field of parseCsv(text)) {
    const [name, value] = cutAt(field, "=");
    if (value === undefined || name.trim() === "") throw new EngineError("invalid", `invalid field ${field}`);
    setField(attachment, name.trim().toLowerCase(), value.trim());
  }
  if (attachment.name === "") throw new EngineError("invalid", "network name/id is not specified");
  return attachment;
}

function setField(attachment: Attachment, key: string, value: string): void {
  switch (key) {
    case "name":
      attachment.name = value;
      return;
    case "alias":
      attachment.aliases = [...attachment.aliases, value];
      return;
    case "ip":
    case "ip6":
      attachment[key] = address(value);
      return;
    case "mac-address":
      attachment.macAddress = value;
      return;
    case "link-local-ip":
      attachment.linkLocalIps = [...attachment.linkLocalIps, address(value)];
      return;
    case "driver-opt":
      attachment.driverOptions = { ...attachment.driverOptions, ...driverOption(value) };
      return;
    case "gw-priority":
      if (!/^[+-]?\d{1,9}$/.test(value)) {
        throw new EngineError("invalid", `invalid gw-priority (${value}): invalid syntax`);
      }
      attachment.gwPriority = Number(value);
      return;
    default:
      throw new EngineError("invalid", `invalid field key ${key}`);
  }
}

function address(text: string): string {
  if (isAddress(text)) return text;
  throw new EngineError("invalid", `ParseAddr("${text}"): unable to parse IP`);
}

function driverOption(text: string): Record<string, string> {
  const [key, value] = cutAt(text, "=");
  if (value === undefined || key.trim() === "") {
    throw new EngineError("invalid", "invalid key value pair format in driver options");
  }
  return { [key.trim()]: value.trim() };
}

function endpointSettings(attachment: Attachment): Sparse<EndpointSettings> {
  const { aliases, links, linkLocalIps, driverOptions, ip, ip6, gwPriority } = attachment;
  if (attachment.name === "") throw new EngineError("invalid", "no name set for network");
  if (aliases.length > 0 && !isUserDefined(attachment.name)) {
    throw new EngineError("invalid", "network-scoped aliases are only supported for user-defined networks");
  }
  const ipam = {
    ...(ip !== undefined && { IPv4Address: ip }),
    ...(ip6 !== undefined && { IPv6Address: ip6 }),
    ...(linkLocalIps.length > 0 && { LinkLocalIPs: linkLocalIps }),
  };
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(links.length > 0 && { Links: links }),
    ...(Object.keys(driverOptions).length > 0 && { DriverOpts: driverOptions }),
    ...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
    ...(attachment.macAddress !== undefined && { MacAddress: mac(attachment.macAddress) }),
    ...(gwPriority !== undefined && { GwPriority: gwPriority }),
  };
}

/** `02:42:0a:00:00:02`, `02-42-0a-00-00-02` or `0242.0a00.0002`, in the first form. */
function mac(text: string): string {
  const form = /^([0-9a-f]{2})([:-])(?:[0-9a-f]{2}\2){4}[0-9a-f]{2}$|^(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}$/i;
  if (!form.test(text.trim())) throw new EngineError("invalid", `${text} is not a valid mac address`);
  return (
    text
      .toLowerCase()
      .replaceAll(/[^0-9a-f]/g, "")
      .match(/../g)
      ?.join(":") ?? ""
  );
}
