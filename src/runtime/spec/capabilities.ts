import { EngineError } from "#base/errors.ts";

/** capabilities(7), by number: bit n of `CapBnd` in /proc/self/status. */
export const ALL_CAPABILITIES: readonly string[] = prefixed(`
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
  NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
  SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
  MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
  BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
`);

/** What a container has unless told otherwise. moby daemon/pkg/oci/caps/defaults.go. */
export const DEFAULT_CAPABILITIES: readonly string[] = prefixed(`
  CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
  SYS_CHROOT KILL AUDIT_WRITE
`);

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

function prefixed(names: string): string[] {
  return names
    .trim()
    .split(/\s+/)
    .map((name) => `CAP_${name}`);
}
