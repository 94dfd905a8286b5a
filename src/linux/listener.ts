import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isErrno } from "#base/errors.ts";

export interface Listener {
  readonly pid: number;
  /** The program's short name, `nginx`. */
  readonly command: string;
}

export interface ListenerQuery {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** Only sockets that answer for this address; any when absent or the wildcard of its family. */
  readonly address?: string;
}

const TCP_LISTEN = "0A";

/** The process of this host that listens on the port; `undefined` when none does, or it cannot be seen. */
export function findListener(query: ListenerQuery): Listener | undefined {
  const inodes = new Set<string>();
  for (const file of [`/proc/net/${query.protocol}`, `/proc/net/${query.protocol}6`]) {
    for (const inode of listeningInodes(readIfPresent(file), query)) inodes.add(inode);
  }
  return inodes.size === 0 ? undefined : findHolder(inodes);
}

/** Inodes of the sockets in the text of `/proc/net/tcp` and its kin that bar others from the port. `proc(5)`. */
export function listeningInodes(text: string, query: ListenerQuery): string[] {
  const port = query.port.toString(16).toUpperCase().padStart(4, "0");
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local = "", , state]) => {
      if (query.protocol === "tcp" && state !== TCP_LISTEN) return false;
      const [address = "", number] = local.split(":");
      return number === port && answersFor(address, query.address);
    })
    .map((fields) => fields[9] ?? "");
}

/** Both in different notation: the kernel's is hex, in words of the machine's byte order. */
function answersFor(socketAddress: string, wanted: string | undefined): boolean {
  if (wanted === undefined || wanted === "0.0.0.0" || wanted === "::") return true;
  if (/^0+$/.test(socketAddress)) return true;
  if (wanted.includes(":")) return socketAddress.length === 32;
  const hex = wanted.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  const word = hex.toReversed().join("").toUpperCase();
  return socketAddress === word || socketAddress === `0000000000000000FFFF0000${word}`;
}

function findHolder(inodes: ReadonlySet<string>): Listener | undefined {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const holds = ifAlive(() =>
      readdirSync(`/proc/${pid}/fd`).some((fd) => {
        const target = ifAlive(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? "";
        return inodes.has(/^socket:\[(\d+)\]$/.exec(target)?.[1] ?? "");
      }),
    );
    if (!holds) continue;
    const command = ifAlive(() => readFileSync(`/proc/${pid}/comm`, "utf8"));
    if (command !== undefined) return { pid: Number(pid), command: command.trim() };
  }
  return undefined;
}

function readIfPresent(path: string): string {
  return ifAlive(() => readFileSync(path, "utf8")) ?? "";
}

/** Processes end while we look, and some are not ours to see. */
function ifAlive<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL")) return undefined;
    throw error;
  }
}
