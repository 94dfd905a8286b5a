import { EngineError } from "#base/errors.ts";

/** An IPv4 network: its first address as a number, and how many leading bits name it. */
export interface Subnet {
  readonly base: number;
  readonly prefixLength: number;
}

/** `172.17.0.0/16`; host bits are cleared. @throws {EngineError} invalid */
export function parseSubnet(text: string): Subnet {
  const [address = "", length = "", ...more] = text.split("/");
  const prefixLength = Number(length);
  if (!/^\d{1,2}$/.test(length) || prefixLength > 32 || more.length > 0) {
    throw new EngineError("invalid", `Cannot parse subnet ${JSON.stringify(text)}`);
  }
  return { base: (parseAddress(address) & mask(prefixLength)) >>> 0, prefixLength };
}

export function formatSubnet(subnet: Subnet): string {
  return `${formatAddress(subnet.base)}/${subnet.prefixLength}`;
}

/** @throws {EngineError} invalid for anything but dotted decimal */
export function parseAddress(text: string): number {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)) {
    throw new EngineError("invalid", `Cannot parse IPv4 address ${JSON.stringify(text)}`);
  }
  return parts.reduce((value, part) => value * 256 + Number(part), 0);
}

export function formatAddress(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join(".");
}

export function overlaps(left: Subnet, right: Subnet): boolean {
  const shared = mask(Math.min(left.prefixLength, right.prefixLength));
  return (left.base & shared) === (right.base & shared);
}

export function contains(subnet: Subnet, address: number): boolean {
  return overlaps(subnet, { base: address, prefixLength: 32 });
}

/** The last address: the broadcast address of all but the smallest networks. */
export function lastAddress(subnet: Subnet): number {
  return (subnet.base | ~mask(subnet.prefixLength)) >>> 0;
}

function mask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}
