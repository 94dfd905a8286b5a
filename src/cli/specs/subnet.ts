import { EngineError } from "#base/errors.ts";
import { isAddress } from "./ip.ts";
import { cutAt } from "./key-values.ts";

/** An address as a number, with its family's width. */
interface Address {
  readonly value: bigint;
  readonly bits: 32 | 128;
}

export interface Subnet extends Address {
  readonly prefix: number;
}

/** `10.0.0.0/24`, `fd00::/64`; `undefined` for what is none. */
export function findSubnet(text: string): Subnet | undefined {
  const [address, length = ""] = cutAt(text, "/");
  if (!/^\d{1,3}$/.test(length) || address.includes("%") || !isAddress(address)) return undefined;
  const { value, bits } = parseAddress(address);
  const prefix = Number(length);
  return prefix > bits ? undefined : { value, bits, prefix };
}

/** True when `text`, an address or the first address of a subnet, lies in `subnet`. */
export function subnetHolds(subnet: Subnet, text: string): boolean {
  const { value, bits } = parseAddress(cutAt(text, "/")[0]);
  const rest = BigInt(subnet.bits - subnet.prefix);
  return bits === subnet.bits && value >> rest === subnet.value >> rest;
}

/** @throws {EngineError} invalid, in the words of Go's flag package */
export function checkAddress(text: string): string {
  if (isAddress(text) && !text.includes("%")) return text;
  throw new EngineError("invalid", `invalid string being converted to IP address: ${text}`);
}

/** @param text an address that `isAddress` knows */
function parseAddress(text: string): Address {
  if (!text.includes(":")) return { value: ipv4(text), bits: 32 };
  const [head = "", tail] = text.split("::");
  const left = groups(head);
  const right = groups(tail ?? "");
  const gap = Array.from({ length: 8 - left.length - right.length }, () => 0n);
  const value = [...left, ...gap, ...right].reduce((sum, group) => (sum << 16n) | group, 0n);
  // ::ffff:10.0.0.1 is an IPv4 address in the longer spelling
  return value >> 32n === 0xffffn ? { value: value & 0xffffffffn, bits: 32 } : { value, bits: 128 };
}

function groups(text: string): bigint[] {
  return text === ""
    ? []
    : text
        .split(":")
        .flatMap((part) =>
          part.includes(".") ? [ipv4(part) >> 16n, ipv4(part) & 0xffffn] : [BigInt(`0x${part}`)],
        );
}

function ipv4(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}
