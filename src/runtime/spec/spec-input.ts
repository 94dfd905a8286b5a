import type { DeviceRule, SpecDevice, SpecRlimit, ThrottleDevice, WeightDevice } from "#oci/runtime-spec.ts";
import type { CapabilityWish } from "./capabilities.ts";
import type { SeccompProfile } from "./seccomp.ts";

/** Everything about a container that its OCI specification is made from; absent means Docker's default. */
export interface SpecInput {
  readonly args: readonly string[];
  /** Complete and in order; see `assembleEnv`. */
  readonly env: readonly string[];
  /** Absolute; created in the root file system where missing. */
  readonly cwd: string;
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  readonly tty: boolean;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** Absolute path of the mounted root. */
  readonly rootfs: string;
  readonly isRootReadOnly?: boolean;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts?: readonly MountInput[];
  readonly shm?: ShmInput;
  readonly capabilities?: Omit<CapabilityWish, "isPrivileged">;
  readonly isPrivileged?: boolean;
  readonly noNewPrivileges?: boolean;
  /** Default: Docker's profile, none for privileged containers. */
  readonly seccomp?: "default" | "unconfined" | SeccompProfile;
  /** A loaded profile's name; applied only where the host has AppArmor. */
  readonly apparmor?: string;
  readonly resources?: ResourceInput;
  readonly namespaces?: NamespaceInput;
  /** `/darse/<id>`, in every hierarchy. */
  readonly cgroupPath: string;
  readonly rlimits?: readonly SpecRlimit[];
  readonly devices?: readonly DeviceInput[];
  readonly deviceRules?: readonly DeviceRule[];
  /** Default: Docker's list; an empty list switches masking off. */
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly oomScoreAdj?: number;
  /** For the runtime, from the person who asks; never from an image, which could switch protection off (CVE-2026-94603). */
  readonly annotations?: Readonly<Record<string, string>>;
  /** A small init on the host, bound to /sbin/docker-init and run as process 1. */
  readonly init?: { readonly path: string };
}

export type MountInput =
  | {
      readonly type: "bind";
      readonly source: string;
      readonly destination: string;
      readonly isReadOnly?: boolean;
      /** A read-only bind covers the mounts below it too unless this says otherwise. */
      readonly readOnlyIsShallow?: boolean;
      readonly isRecursive?: boolean;
      readonly propagation?: Propagation;
    }
  | {
      readonly type: "tmpfs";
      readonly destination: string;
      /** `size=64m`, `mode=1770`, `exec`; over Docker's `noexec,nosuid,nodev`. */
      readonly options?: readonly string[];
    };

export type Propagation = "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave";

/** `/dev/shm`: a tmpfs of its own (64 MiB when unsaid), a directory of the host, or none. */
export type ShmInput =
  | { readonly sizeBytes: number }
  | { readonly path: string }
  | { readonly isAbsent: true };

/** `private`: a new one; `host`: the engine's; else an existing one by path. */
export type NamespaceChoice = "private" | "host" | { readonly path: string };

export interface NamespaceInput {
  readonly network?: NamespaceChoice;
  readonly pid?: NamespaceChoice;
  readonly ipc?: NamespaceChoice;
  readonly uts?: NamespaceChoice;
  /** Default: private on cgroup v2, host elsewhere. */
  readonly cgroup?: NamespaceChoice;
}

export interface DeviceInput {
  readonly device: SpecDevice;
  /** Some of `rwm`. */
  readonly access: string;
}

/** Limits in the kernel's units; absent or 0 is "no limit", −1 likewise where Docker has it. */
export interface ResourceInput {
  readonly memoryBytes?: number;
  readonly memoryReservationBytes?: number;
  /** Memory and swap together; −1 is unlimited. */
  readonly memorySwapBytes?: number;
  readonly memorySwappiness?: number;
  readonly isOomKillDisabled?: boolean;
  readonly nanoCpus?: number;
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
  readonly cpuRealtimeRuntimeUs?: number;
  readonly cpuRealtimePeriodUs?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: number;
  readonly blockIoWeight?: number;
  readonly blockIoWeightDevices?: readonly WeightDevice[];
  readonly readBps?: readonly ThrottleDevice[];
  readonly writeBps?: readonly ThrottleDevice[];
  readonly readIops?: readonly ThrottleDevice[];
  readonly writeIops?: readonly ThrottleDevice[];
}
