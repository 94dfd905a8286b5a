import { EngineError, isErrno } from "#base/errors.ts";
import { concatenate, textAttribute } from "./netlink/message.ts";
import { NETLINK_NETFILTER, NetlinkSocket } from "./netlink/netlink-socket.ts";
import { run } from "./process.ts";

/** `uapi/linux/netfilter/nfnetlink.h` and `nf_tables.h`. */
const NFT_MSG_GETTABLE = (10 << 8) | 1;
const NFTA_TABLE_NAME = 1;
/** `struct nfgenmsg`: family inet, version 0, no resource. */
const INET_HEADER = Uint8Array.of(1, 0, 0, 0);

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
  using socket = NetlinkSocket.open(NETLINK_NETFILTER);
  const payload = concatenate([INET_HEADER, textAttribute(NFTA_TABLE_NAME, name)]);
  try {
    socket.query({ operation: `find nftables table ${name}`, type: NFT_MSG_GETTABLE, payload });
    return true;
  } catch (error) {
    if (isErrno(error, "ENOENT")) return false;
    throw error;
  }
}
