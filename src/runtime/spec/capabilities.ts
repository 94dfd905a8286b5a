import { EngineError } from "#base/errors.ts";

/** capabilities(7), by number: bit n of `CapBnd` in /proc/self/status. */
export const ALL_CAPABILITIES: readonly string[] = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL"],
  ...["CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE"],
  ...["CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE"],
  ...["CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT"],
  ...["CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE"],
  ...[
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
  ],
  ...["CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF"],
  "CAP_CHECKPOINT_RESTORE",
];

/** What a container has unless told otherwise. moby daemon/pkg/oci/caps/defaults.go. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID"],
  ...["CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL"],
  "CAP_AUDIT_WRITE",
];

export interface CapabilityWish {
  /** With or without `CAP_`, in any case; `ALL` is all. */
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  readonly isPrivileged?: boolean;
}

/**
 * The set a process gets: the defaults, less `drop`, plus `add`; `ALL` in `add` starts from everything, `ALL` in `drop`
 * from nothing (moby daemon/pkg/oci/caps `TweakCapabilities`).
 * @throws {EngineError} invalid naming an unknown capability.
 */
export function resolveCapabilities(wish: CapabilityWish): string[] {
  if (wish.isPrivileged) return [...ALL_CAPABILITIES];
  const add = normalize(wish.add ?? [], "CapAdd");
  const drop = normalize(wish.drop ?? [], "CapDrop");
  if (add.has("ALL")) return ALL_CAPABILITIES.filter((name) => !drop.has(name));
  const start = drop.has("ALL") ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.has(name));
  return [...new Set([...start, ...add])];
}

function normalize(names: readonly string[], field: string): Set<string> {
  return new Set(
    names.map((name) => {
      const upper = name.trim().toUpperCase();
      if (upper === "ALL" || upper === "CAP_ALL") return "ALL";
      const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
      if (ALL_CAPABILITIES.includes(full)) return full;
      throw new EngineError("invalid", `invalid ${field}: unknown capability: "${full}"`);
    }),
  );
}
