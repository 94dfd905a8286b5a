import { EngineError } from "#base/errors.ts";
import type { NamespaceChoice, SpecInput } from "./spec-input.ts";

const IPC_KEYS = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** For a network namespace of the container's own. moby daemon/oci_linux.go. */
const NETWORK_DEFAULTS: Readonly<Record<string, string>> = {
  "net.ipv4.ip_unprivileged_port_start": "0",
  "net.ipv4.ping_group_range": "0 2147483647",
};

/**
 * Kernel settings for the container's own namespaces: the wished ones over Docker's defaults.
 * @throws {EngineError} invalid for a key outside a private namespace, or a value that could smuggle in a second
 *   setting (CVE-2022-0811).
 */
export function specSysctls(input: SpecInput): Record<string, string> {
  const { network = "private", ipc = "private" } = input.namespaces ?? {};
  const wanted = Object.entries(input.sysctls ?? {});
  for (const [key, value] of wanted) check(key, value, { network, ipc });
  return { ...(network === "host" ? {} : NETWORK_DEFAULTS), ...Object.fromEntries(wanted) };
}

function check(
  key: string,
  value: string,
  { network, ipc }: { network: NamespaceChoice; ipc: NamespaceChoice },
): void {
  const isNetwork = key.startsWith("net.");
  const isIpc = IPC_KEYS.has(key) || key.startsWith("fs.mqueue.");
  if (!/^[a-zA-Z0-9_.:/-]+$/.test(key) || key.includes("..") || !(isNetwork || isIpc)) {
    throw new EngineError("invalid", `sysctl '${key}' is not allowed`);
  }
  if ((isNetwork && network === "host") || (isIpc && ipc === "host")) {
    const space = isNetwork ? "network" : "ipc";
    throw new EngineError("invalid", `sysctl '${key}' not allowed in host ${space} namespace`);
  }
  if (!/^[a-zA-Z0-9_.:,\- \t]*$/.test(value)) {
    throw new EngineError(
      "invalid",
      `Cannot set sysctl ${key}: the value ${JSON.stringify(value)} has characters beyond letters, digits, blanks and .:,-_`,
    );
  }
}
