import type { EndpointSettings } from "#api/containers.ts";
import type { Sparse } from "#api/sparse.ts";
import { EngineError } from "#base/errors.ts";
import { cutAt, parseCsv } from "./key-values.ts";

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

interface Attachment {
  readonly name: string;
  readonly settings: Sparse<EndpointSettings>;
}

/** `--network` in both forms (`web`, `name=web,alias=a,ip=10.0.0.2`) with the flags that refine the first one. */
export function parseNetworking(flags: NetworkFlags): Networking {
  const attachments = flags.networks.map(parseNetwork);
  const mode = attachments[0]?.name ?? "default";
  const refined = refine(attachments[0]?.settings ?? {}, flags, mode);
  const endpoints: Record<string, Sparse<EndpointSettings>> = {};
  if (Object.keys(refined).length > 0 || attachments.length > 1) endpoints[mode] = refined;
  for (const { name, settings } of attachments.slice(1)) {
    if (endpoints[name]) throw new EngineError("invalid", `network "${name}" is specified multiple times`);
    endpoints[name] = settings;
  }
  return { mode, endpoints };
}

function refine(
  settings: Sparse<EndpointSettings>,
  flags: NetworkFlags,
  mode: string,
): Sparse<EndpointSettings> {
  const ipam = {
    ...settings.IPAMConfig,
    ...(flags.ip !== undefined && { IPv4Address: flags.ip }),
    ...(flags.ip6 !== undefined && { IPv6Address: flags.ip6 }),
    ...(flags.linkLocalIps.length > 0 && { LinkLocalIPs: flags.linkLocalIps }),
  };
  const aliases = [...(settings.Aliases ?? []), ...flags.aliases];
  const isUserDefined =
    !["default", "bridge", "host", "none"].includes(mode) && !mode.startsWith("container:");
  return {
    ...settings,
    ...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(flags.links.length > 0 && isUserDefined && { Links: flags.links }),
    ...(flags.macAddress !== undefined && { MacAddress: flags.macAddress }),
  };
}

function parseNetwork(text: string): Attachment {
  if (!/^[a-z0-9-]+=/i.test(text)) return { name: text, settings: {} };
  let name = "";
  const aliases: string[] = [];
  const options: Record<string, string> = {};
  const plain: Record<string, string> = {};
  for (const field of parseCsv(text)) {
    const [key, value = ""] = cutAt(field, "=");
    if (key === "name") name = value;
    else if (key === "alias") aliases.push(value);
    else if (key === "driver-opt") {
      const [option, setting = ""] = cutAt(value, "=");
      options[option] = setting;
    } else if (["ip", "ip6", "mac-address", "gw-priority", "link-local-ip"].includes(key)) plain[key] = value;
    else throw new EngineError("invalid", `invalid field ${key} in --network "${text}"`);
  }
  if (name === "") throw new EngineError("invalid", `Cannot use --network "${text}": it has no name=`);
  return { name, settings: endpointSettings(aliases, options, plain) };
}

function endpointSettings(
  aliases: readonly string[],
  options: Readonly<Record<string, string>>,
  plain: Readonly<Record<string, string>>,
): Sparse<EndpointSettings> {
  const ipam = {
    ...(plain["ip"] && { IPv4Address: plain["ip"] }),
    ...(plain["ip6"] && { IPv6Address: plain["ip6"] }),
    ...(plain["link-local-ip"] && { LinkLocalIPs: [plain["link-local-ip"]] }),
  };
  return {
    ...(aliases.length > 0 && { Aliases: aliases }),
    ...(Object.keys(options).length > 0 && { DriverOpts: options }),
    ...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
    ...(plain["mac-address"] && { MacAddress: plain["mac-address"] }),
    ...(plain["gw-priority"] && { GwPriority: Number(plain["gw-priority"]) }),
  };
}
