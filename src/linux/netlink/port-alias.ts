import { addressBytes } from "./ip-address.ts";
import { attribute, concatenate, nested, NLM_F_CREATE, NLM_F_EXCL, textAttribute } from "./message.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink-socket.ts";
import type { NetlinkRequest } from "./netlink-socket.ts";

/**
 * A well-known port of a loopback address that leads to other ports, so that programs may still listen on the
 * well-known one on all addresses. Two rules a protocol in one chain; `nft list ruleset` inside shows:
 *
 * ```
 * table ip <table> { chain output { type filter hook output priority raw;
 *   ip daddr <address> udp dport <port> notrack udp dport set <udp>
 *   ip saddr <address> udp sport <udp> notrack udp sport set <port>          and so for tcp
 * } }
 * ```
 *
 * The packets are rewritten one by one: they never leave loopback, so each of them passes this chain, and connection
 * tracking need not be there for it. Sent straight to the kernel, as `nft` costs milliseconds and this is done at the
 * start of each container.
 */
export interface PortAlias {
  readonly table: string;
  readonly address: string;
  readonly port: number;
  readonly udp: number;
  readonly tcp: number;
}

/** `uapi/linux/netfilter/nfnetlink.h`, `nf_tables.h`. */
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWTABLE = (NFNL_SUBSYS_NFTABLES << 8) | 0;
const NFT_MSG_DELTABLE = (NFNL_SUBSYS_NFTABLES << 8) | 2;
const NFT_MSG_NEWCHAIN = (NFNL_SUBSYS_NFTABLES << 8) | 3;
const NFT_MSG_NEWRULE = (NFNL_SUBSYS_NFTABLES << 8) | 6;
const NLM_F_APPEND = 0x800;
const NAME = 1;
const CHAIN_NAME = 3;
const CHAIN_HOOK = 4;
const CHAIN_TYPE = 7;
const HOOK_NUMBER = 1;
const HOOK_PRIORITY = 2;
const RULE_CHAIN = 2;
const RULE_EXPRESSIONS = 4;
const LIST_ELEMENT = 1;
const EXPRESSION_NAME = 1;
const EXPRESSION_DATA = 2;
const DATA_VALUE = 1;
const NF_INET_LOCAL_OUT = 3;
const PRIORITY_RAW = -300;
const NFT_REG_1 = 1;
const NETWORK_HEADER = 1;
const TRANSPORT_HEADER = 2;
const META_L4PROTO = 16;
const CHECKSUM_INET = 1;
/** `struct nfgenmsg`: family IPv4. */
const IPV4_HEADER = Uint8Array.of(2, 0, 0, 0);
const CHAIN = "output";
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;

/** Makes it in the network namespace of this thread. @throws {NetlinkError} EEXIST when the table is there */
export function makePortAlias(alias: PortAlias): void {
  using socket = NetlinkSocket.open(NETLINK_NETFILTER);
  socket.transact(NFNL_SUBSYS_NFTABLES, portAliasRequests(alias));
}

/** Takes it out of the network namespace of this thread; some 15 ms, as the kernel waits. @throws {NetlinkError} */
export function removePortAlias(table: string): void {
  using socket = NetlinkSocket.open(NETLINK_NETFILTER);
  const payload = concatenate([IPV4_HEADER, textAttribute(NAME, table)]);
  const operation = `remove nftables table ${table}`;
  socket.transact(NFNL_SUBSYS_NFTABLES, [{ operation, type: NFT_MSG_DELTABLE, payload }]);
}

/** The transaction. Pure. */
export function portAliasRequests(alias: PortAlias): NetlinkRequest[] {
  const operation = `lead port ${alias.port} of ${alias.address} to others`;
  const table = textAttribute(NAME, alias.table);
  const chain = [
    textAttribute(CHAIN_NAME, CHAIN),
    nested(CHAIN_HOOK, bigEndian(HOOK_NUMBER, NF_INET_LOCAL_OUT), bigEndian(HOOK_PRIORITY, PRIORITY_RAW)),
    textAttribute(CHAIN_TYPE, "filter"),
  ];
  const request = (type: number, flags: number, ...attributes: Uint8Array[]): NetlinkRequest => {
    return { operation, type, flags, payload: concatenate([IPV4_HEADER, table, ...attributes]) };
  };
  return [
    request(NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL),
    request(NFT_MSG_NEWCHAIN, NLM_F_CREATE, ...chain),
    ...rules(alias).map((expressions) =>
      request(
        NFT_MSG_NEWRULE,
        NLM_F_CREATE | NLM_F_APPEND,
        textAttribute(RULE_CHAIN, CHAIN),
        nested(RULE_EXPRESSIONS, ...expressions),
      ),
    ),
  ];
}

function rules({ address, port, udp, tcp }: PortAlias): Uint8Array[][] {
  return [
    { number: 17, checksumAt: 6, real: udp },
    { number: 6, checksumAt: 16, real: tcp },
  ].flatMap(({ number, checksumAt, real }) => {
    const rule = (addressAt: number, portAt: number, [from, to]: readonly [number, number]): Uint8Array[] => [
      ...matches(expression("meta", bigEndian(2, META_L4PROTO), bigEndian(1, NFT_REG_1)), [number]),
      ...matches(load(NETWORK_HEADER, addressAt, 4), addressBytes(address)),
      ...matches(load(TRANSPORT_HEADER, portAt, 2), portBytes(from)),
      nested(LIST_ELEMENT, textAttribute(EXPRESSION_NAME, "notrack")),
      expression("immediate", bigEndian(1, NFT_REG_1), nested(2, attribute(DATA_VALUE, portBytes(to)))),
      storePort(portAt, checksumAt),
    ];
    return [rule(16, DESTINATION_PORT, [port, real]), rule(12, SOURCE_PORT, [real, port])];
  });
}

/** Goes on with the rule when what the expression puts in the register is `value`. */
function matches(into: Uint8Array, value: ArrayLike<number>): Uint8Array[] {
  const data = nested(3, attribute(DATA_VALUE, Uint8Array.from(value)));
  return [into, expression("cmp", bigEndian(1, NFT_REG_1), bigEndian(2, 0), data)];
}

function load(header: number, offset: number, length: number): Uint8Array {
  return expression("payload", bigEndian(1, NFT_REG_1), ...field(header, offset, length));
}

function storePort(offset: number, checksumAt: number): Uint8Array {
  const checksum = [bigEndian(6, CHECKSUM_INET), bigEndian(7, checksumAt), bigEndian(8, 0)];
  return expression("payload", bigEndian(5, NFT_REG_1), ...field(TRANSPORT_HEADER, offset, 2), ...checksum);
}

function field(header: number, offset: number, length: number): Uint8Array[] {
  return [bigEndian(2, header), bigEndian(3, offset), bigEndian(4, length)];
}

function expression(name: string, ...data: readonly Uint8Array[]): Uint8Array {
  return nested(LIST_ELEMENT, textAttribute(EXPRESSION_NAME, name), nested(EXPRESSION_DATA, ...data));
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

/** Netfilter's own numbers are in network byte order. */
function bigEndian(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return attribute(type, bytes);
}
