import { EngineError } from "#base/errors.ts";
import { addressBytes, addressText } from "#linux/netlink/ip-address.ts";

export type Family = "ipv4" | "ipv6";

/** A network of either family: its first address as a number, and how many leading bits name it. */
export interface Subnet {
  readonly family: Family;
  readonly base: bigint;
  readonly prefixLength: number;
}

const BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };

/** `172.17.0.0/16` or `fd00::/64`; host bits are cleared. @throws {EngineError} invalid */
export function parseSubnet(text: string): Subnet {
  const [address = "", length = "", ...more] = text.split("/");
  const family = familyOf(address);
  const prefixLength = Number(length);
  if (!/^\d{1,3}$/.test(length) || prefixLength > BITS[family] || more.length > 0) {
    throw new EngineError("invalid", `Cannot parse subnet ${JSON.stringify(text)}`);
  }
  const shape = { family, prefixLength };
  return { ...shape, base: parseAddress(address) & mask(shape) };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base, subnet.family)}/${subnet.prefixLength}`;
}

/** By its shape alone. */
export function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** @throws {EngineError} invalid for anything but an IPv4 or IPv6 address */
export function parseAddress(text: string): bigint {
  let bytes: Uint8Array;
  try {
    bytes = addressBytes(text);
  } catch (error) {
    const version = familyOf(text) === "ipv4" ? "IPv4" : "IPv6";
    throw new EngineError("invalid", `Cannot parse ${version} address ${JSON.stringify(text)}`, {
      cause: error,
    });
  }
  return bytes.reduce((value, byte) => value * 256n + BigInt(byte), 0n);
}

export function formatAddress(address: bigint, family: Family): string {
  const count = BITS[family] / 8;
  const bytes = Array.from({ length: count }, (_, at) =>
    Number((address >> BigInt(8 * (count - 1 - at))) & 0xffn),
  );
  return addressText(Uint8Array.from(bytes));
}

/** The one spelling of an address, by which it can be compared. @throws {EngineError} invalid */
export function canonicalAddress(text: string): string {
  return formatAddress(parseAddress(text), familyOf(text));
}

export function overlaps(left: Subnet, right: Subnet): boolean {
  if (left.family !== right.family) return false;
  const { family } = left;
  const shared = mask({ family, prefixLength: Math.min(left.prefixLength, right.prefixLength) });
  return (left.base & shared) === (right.base & shared);
}

export function contains(subnet: Subnet, address: string): boolean {
  if (familyOf(address) !== subnet.family) return false;
  return (parseAddress(address) & mask(subnet)) === subnet.base;
}

/** The last address: of IPv4 the broadcast address, of all but the smallest networks. */
export function lastAddress(subnet: Subnet): bigint {
  return subnet.base + sizeOf(subnet) - 1n;
}

/** How many addresses there are. */
export function sizeOf({ family, prefixLength }: Subnet): bigint {
  return 1n << BigInt(BITS[family] - prefixLength);
}

function mask({ family, prefixLength }: Pick<Subnet, "family" | "prefixLength">): bigint {
  const bits = BITS[family];
  return ((1n << BigInt(prefixLength)) - 1n) << BigInt(bits - prefixLength);
}
