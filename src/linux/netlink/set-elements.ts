import { addressBytes, macBytes } from "./ip-address.ts";
import { attribute, concatenate, nested, NLM_F_CREATE, textAttribute } from "./message.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import type { NetlinkRequest } from "./netlink-socket.ts";

/**
 * Elements of sets in nftables tables of the bridge family, put in and taken out in process: a start of `nft` costs
 * milliseconds, and this is done for each container.
 */
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const LIST_TABLE = 1;
const LIST_SET = 2;
const LIST_ELEMENTS = 3;
const LIST_ELEMENT = 1;
const ELEMENT_KEY = 1;
const DATA_VALUE = 1;
const INTERFACE_NAME_BYTES = 16;
/** `struct nfgenmsg`: family bridge. */
const BRIDGE_HEADER = Uint8Array.of(7, 0, 0, 0);

/** A part of an element's key. */
export type KeyPart =
  | { readonly interface: string }
  | { readonly mac: string }
  | { readonly address: string };

export interface SetElement {
  readonly set: string;
  /** More than one part is a concatenation. */
  readonly key: readonly KeyPart[];
}

/** One that is there already is no fault. @throws {NetlinkError} ENOENT without the table or set */
export function addElements(table: string, elements: readonly SetElement[]): void {
  transact(elements.map((element) => elementRequest(table, element, NFT_MSG_NEWSETELEM)));
}

/** All or none. @throws {NetlinkError} ENOENT when one of them, or the table, is not there */
export function removeElements(table: string, elements: readonly SetElement[]): void {
  transact(elements.map((element) => elementRequest(table, element, NFT_MSG_DELSETELEM)));
}

/** The request for one element. Pure. */
export function elementRequest(
  table: string,
  { set, key }: SetElement,
  type = NFT_MSG_NEWSETELEM,
): NetlinkRequest {
  const value = concatenate(key.map(keyBytes));
  const element = nested(LIST_ELEMENT, nested(ELEMENT_KEY, attribute(DATA_VALUE, value)));
  const payload = [
    textAttribute(LIST_TABLE, table),
    textAttribute(LIST_SET, set),
    nested(LIST_ELEMENTS, element),
  ];
  return {
    operation: `change set ${set} of nftables table ${table}`,
    type,
    flags: type === NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0,
    payload: concatenate([BRIDGE_HEADER, ...payload]),
  };
}

function transact(requests: readonly NetlinkRequest[]): void {
  if (requests.length === 0) return;
  const socket = NetlinkSocket.toNetfilter();
  socket.transact(NFNL_SUBSYS_NFTABLES, requests);
}

/** Parts of a concatenation begin at multiples of four bytes. */
function keyBytes(part: KeyPart): Uint8Array {
  if ("address" in part) return addressBytes(part.address);
  if ("mac" in part) return concatenate([macBytes(part.mac), new Uint8Array(2)]);
  const name = new TextEncoder().encode(part.interface);
  return concatenate([name, new Uint8Array(INTERFACE_NAME_BYTES - name.length)]);
}
