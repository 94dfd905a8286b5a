import { readFileSync } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";
import { concatenate, decodeAttributes, decodeText, textAttribute, viewOf } from "./netlink/message.ts";
import { NetlinkSocket } from "./netlink/netlink-socket.ts";
import { run } from "./process.ts";

/** `uapi/linux/netfilter/nfnetlink.h` and `nf_tables.h`. */
const NFT_MSG_GETTABLE = (10 << 8) | 1;
const NFT_MSG_GETCHAIN = (10 << 8) | 4;
const NFTA_TABLE_NAME = 1;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_USE = 6;
/** `struct nfgenmsg`: family inet, version 0, no resource. */
const INET_HEADER = Uint8Array.of(1, 0, 0, 0);
const ANY_HEADER = Uint8Array.of(0, 0, 0, 0);

/** Largest part of nft's own complaint that goes into an error. */
const COMPLAINT_CHARACTERS = 600;

/**
 * Gives `text` to `nft -f -`: all of it takes effect at once, or nothing does.
 *
 * @throws {EngineError} unavailable when nft is not installed, internal with nft's own words when it refuses
 */
export async function applyRules(text: string): Promise<void> {
  const { exitCode, stderr } = await run(["nft", "-f", "-"], { input: text });
  if (exitCode === 0) return;
  const complaint = stderr.trim().slice(0, COMPLAINT_CHARACTERS);
  throw new EngineError("internal", `Cannot apply firewall rules: nft answered ${exitCode}: ${complaint}`);
}

/** Whether `table inet <name>` exists, asked of the kernel itself: some 20 µs. */
export function hasTable(name: string): boolean {
  const socket = NetlinkSocket.toNetfilter();
  const payload = concatenate([INET_HEADER, textAttribute(NFTA_TABLE_NAME, name)]);
  try {
    socket.query({ operation: `find nftables table ${name}`, type: NFT_MSG_GETTABLE, payload });
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}

/** How many rules the chains of all tables of that name hold, and jumps to them; 0 without one. Some 50 µs. */
export function countRules(name: string): number {
  const socket = NetlinkSocket.toNetfilter();
  const operation = `count rules of nftables table ${name}`;
  let count = 0;
  for (const body of socket.dump({ operation, type: NFT_MSG_GETCHAIN, payload: ANY_HEADER })) {
    const chain = decodeAttributes(body.subarray(ANY_HEADER.length));
    const table = chain.get(NFTA_CHAIN_TABLE);
    const use = chain.get(NFTA_CHAIN_USE);
    if (table === undefined || use === undefined || decodeText(table) !== name) continue;
    count += viewOf(use).getUint32(0);
  }
  return count;
}

/** Rules of hosts with many sets are long. */
const MAX_RULESET_BYTES = 32 * 1024 * 1024;
/** nft gives up when others change the rules while it reads. */
const READ_ATTEMPTS = 3;

/** All rules of this host, as `nft` writes them in JSON. @throws {EngineError} unavailable, internal */
export async function readRules(): Promise<unknown> {
  const options = { maxOutputBytes: MAX_RULESET_BYTES };
  let complaint = "";
  let exitCode = 0;
  for (let left = READ_ATTEMPTS; left > 0; left--) {
    const result = await run(["nft", "--json", "list", "ruleset"], options);
    if (result.exitCode === 0) return JSON.parse(new TextDecoder().decode(result.stdout));
    ({ exitCode } = result);
    complaint = result.stderr.trim().slice(0, COMPLAINT_CHARACTERS);
  }
  throw new EngineError("internal", `Cannot read firewall rules: nft answered ${exitCode}: ${complaint}`);
}

/** Whether rules of the iptables before nftables are in force, which nft does not show. */
export function hasLegacyRules(): boolean {
  return ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"].some((path) => {
    try {
      return readFileSync(path, "utf8").trim() !== "";
    } catch (error) {
      if (isErrno(error, "ENOENT")) return false;
      throw error;
    }
  });
}
