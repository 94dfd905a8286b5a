import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import type { NetworkInfo } from "./network-record.ts";
import { familyOf, parseAddress, parseSubnet } from "./subnet.ts";
import type { Family } from "./subnet.ts";

/** How containers of a network and the rest of the world reach each other. moby, bridge driver. */
export type GatewayMode = "nat" | "nat-unprotected" | "routed" | "isolated";

/** A bridge as it is to be in the kernel, read from a network's record. */
export interface BridgeSettings {
  /** Of the interface. */
  readonly name: string;
  readonly mtu: number;
  /** The bridge's own, where containers find their gateway. */
  readonly addresses: readonly { readonly address: string; readonly prefixLength: number }[];
  readonly subnets: readonly string[];
  readonly hasIpv6: boolean;
  readonly isInternal: boolean;
  /** Containers of the network may talk to each other. */
  readonly hasIcc: boolean;
  readonly masquerades: boolean;
  /** The address containers go out with, where it is not left to the kernel. */
  readonly sourceAddresses: Readonly<Partial<Record<Family, string>>>;
  readonly modes: Readonly<Record<Family, GatewayMode>>;
}

const PREFIX = "com.docker.network.";
const NAME = `${PREFIX}bridge.name`;
const MODES: readonly GatewayMode[] = ["nat", "nat-unprotected", "routed", "isolated"];
const MAX_MTU = 65535;

/** @throws {EngineError} invalid for an option of a record that `checkBridgeOptions` would refuse */
export function bridgeSettings(network: NetworkInfo, uplinkMtu: number): BridgeSettings {
  const { id, options, pools, hasIpv6, isInternal } = network;
  const modes = { ipv4: modeOf(options, "ipv4"), ipv6: modeOf(options, "ipv6") };
  const inhibits = { ipv4: isOn(options, "bridge.inhibit_ipv4", false), ipv6: false };
  const sources = (["ipv4", "ipv6"] as const).flatMap((family) => {
    const address = options[`${PREFIX}host_${family}`];
    return address ? [[family, address] as const] : [];
  });
  return {
    name: options[NAME] || `br-${shortId(id)}`,
    mtu: mtuOf(options) ?? uplinkMtu,
    addresses: pools.flatMap(({ subnet, gateway }) => {
      const family = familyOf(subnet);
      if (gateway === undefined || inhibits[family] || modes[family] === "isolated") return [];
      return [{ address: gateway, prefixLength: parseSubnet(subnet).prefixLength }];
    }),
    subnets: pools.map(({ subnet }) => subnet),
    hasIpv6,
    isInternal,
    hasIcc: isOn(options, "bridge.enable_icc", true),
    masquerades: isOn(options, "bridge.enable_ip_masquerade", true),
    sourceAddresses: Object.fromEntries(sources),
    modes,
  };
}

/** The host's address for published ports that name none; `undefined` for every address. */
export function hostBinding({ options }: Pick<NetworkInfo, "options">): string | undefined {
  const address = options[`${PREFIX}bridge.host_binding_ipv4`];
  return address === "0.0.0.0" ? undefined : address || undefined;
}

/** The first part of interface names inside: `eth`. */
export function interfacePrefix({ options }: Pick<NetworkInfo, "options">): string {
  return options[`${PREFIX}container_iface_prefix`] || "eth";
}

/** The MTU a network was given, of any driver. @throws {EngineError} invalid */
export function mtuOf(options: NetworkInfo["options"]): number | undefined {
  const text = options[`${PREFIX}driver.mtu`] || options["mtu"];
  if (text === undefined || text === "") return undefined;
  const mtu = Number(text);
  if (!/^\d+$/.test(text) || mtu < 68 || mtu > MAX_MTU)
    throw refusal(`${PREFIX}driver.mtu`, text, "68 to 65535");
  return mtu;
}

/**
 * @throws {EngineError} invalid for a value that means nothing, forbidden for the bridge of another network
 */
export function checkBridgeOptions(options: NetworkInfo["options"], others: readonly NetworkInfo[]): void {
  const name = options[NAME];
  if (name) {
    checkInterfaceName(NAME, name);
    const other = others.find((one) => one.driver === "bridge" && one.options[NAME] === name);
    if (other) {
      throw new EngineError(
        "forbidden",
        `cannot create network (${name}): conflicts with network ${other.id} (${name}): networks have same bridge name`,
        { hint: `network ${other.name} has that bridge: choose another name` },
      );
    }
  }
  mtuOf(options);
  for (const key of ["bridge.enable_icc", "bridge.enable_ip_masquerade", "bridge.inhibit_ipv4"])
    isOn(options, key, true);
  modeOf(options, "ipv4");
  modeOf(options, "ipv6");
  for (const key of ["bridge.host_binding_ipv4", "host_ipv4", "host_ipv6"]) checkAddress(options, key);
  const prefix = options[`${PREFIX}container_iface_prefix`];
  // Room for the number.
  if (prefix) checkInterfaceName(`${PREFIX}container_iface_prefix`, `${prefix}00`);
}

/** A name that the kernel takes and that stands in a rule of the firewall as it is. @throws {EngineError} invalid */
export function checkInterfaceName(key: string, name: string): void {
  if (/^[a-zA-Z0-9_.-]{1,15}$/.test(name) && name !== "." && name !== "..") return;
  throw refusal(key, name, "an interface name of at most 15 letters, digits, _.-");
}

function modeOf(options: NetworkInfo["options"], family: Family): GatewayMode {
  const key = `${PREFIX}bridge.gateway_mode_${family}`;
  const text = options[key];
  if (!text) return "nat";
  const mode = MODES.find((one) => one === text);
  if (mode === undefined) throw refusal(key, text, `unknown gateway mode, it is one of ${MODES.join(", ")}`);
  return mode;
}

function isOn(options: NetworkInfo["options"], name: string, fallback: boolean): boolean {
  const text = options[`${PREFIX}${name}`];
  if (text === undefined) return fallback;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw refusal(`${PREFIX}${name}`, text, "true or false");
}

function checkAddress(options: NetworkInfo["options"], name: string): void {
  const text = options[`${PREFIX}${name}`];
  if (!text) return;
  const family: Family = name.endsWith("6") ? "ipv6" : "ipv4";
  try {
    parseAddress(text);
  } catch (error) {
    throw new EngineError("invalid", refusal(`${PREFIX}${name}`, text, "nil ip").message, { cause: error });
  }
  if (familyOf(text) !== family) throw refusal(`${PREFIX}${name}`, text, `not an ${family} address`);
}

function refusal(key: string, value: string, reason: string): EngineError {
  return new EngineError("invalid", `failed to parse ${key} value: ${value} (${reason})`);
}
