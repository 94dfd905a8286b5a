import type { SpecMount } from "#oci/runtime-spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { MountInput, NamespaceChoice, Propagation, SpecInput } from "./spec-input.ts";

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

const PTS_OPTIONS = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];

/** These stay writable under a read-only root. moby daemon/oci_linux.go `withMounts`. */
const ALWAYS_WRITABLE = new Set(["/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"]);

/**
 * The mounts of a container in the order they are made: Docker's defaults, less those that the caller mounts over,
 * then the caller's, outer paths before inner ones. moby daemon/pkg/oci/defaults.go and daemon/oci_linux.go.
 */
export function specMounts(input: SpecInput, host: HostFacts): SpecMount[] {
  const wanted = [...(input.mounts ?? []), ...initMount(input)];
  const taken = new Set(wanted.map((mount) => normalPath(mount.destination)));
  const defaults = defaultMounts(input).filter(
    ({ destination }) => !taken.has(destination) && !(taken.has("/dev") && destination.startsWith("/dev/")),
  );
  const own = wanted.map((mount) => specMount(mount, host)).toSorted((a, b) => depth(a) - depth(b));
  return [...defaults.map((mount) => adjusted(mount, input)), ...own];
}

/** The propagation the root needs for the caller's binds; `undefined` leaves the runtime's (private). */
export function rootPropagation(mounts: readonly MountInput[]): string | undefined {
  const wanted = new Set(mounts.map((mount) => (mount.type === "bind" ? mount.propagation : undefined)));
  if (wanted.has("shared") || wanted.has("rshared")) return "shared";
  return wanted.has("slave") || wanted.has("rslave") ? "rslave" : undefined;
}

/** `/a//b/../c/` → `/a/c`, without looking at any disk. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function defaultMounts(input: SpecInput): SpecMount[] {
  const ipc = input.namespaces?.ipc ?? "private";
  const nothing = ["nosuid", "noexec", "nodev"];
  return [
    mount("/proc", "proc", "proc", nothing),
    mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    mount("/dev/pts", "devpts", "devpts", PTS_OPTIONS),
    mount("/sys", "sysfs", "sysfs", [...nothing, "ro"]),
    mount("/sys/fs/cgroup", "cgroup", "cgroup", ["ro", ...nothing]),
    // The queues of the namespace that is joined, the host's too; the host itself may have none mounted.
    mount("/dev/mqueue", "mqueue", "mqueue", nothing),
    ...shmMount(input, ipc),
  ];
}

function shmMount({ shm }: SpecInput, ipc: NamespaceChoice): SpecMount[] {
  const options = ["nosuid", "noexec", "nodev"];
  if (shm && "isAbsent" in shm) return [];
  const path = shm && "path" in shm ? shm.path : ipc === "host" ? "/dev/shm" : undefined;
  if (path !== undefined) return [mount("/dev/shm", "bind", path, ["rbind", "rprivate", ...options])];
  const bytes = shm && "sizeBytes" in shm ? shm.sizeBytes : DEFAULT_SHM_BYTES;
  return [mount("/dev/shm", "tmpfs", "shm", [...options, "mode=1777", `size=${bytes}`])];
}

/** Privileged containers may write sysfs and cgroups; a read-only root makes the rest read-only. */
function adjusted(entry: SpecMount, input: SpecInput): SpecMount {
  const isKernelTree = entry.type === "sysfs" || entry.type === "cgroup";
  if (input.isPrivileged && isKernelTree) {
    return { ...entry, options: entry.options.filter((option) => option !== "ro") };
  }
  if (!input.isRootReadOnly || ALWAYS_WRITABLE.has(entry.destination) || entry.options.includes("ro"))
    return entry;
  return { ...entry, options: [...entry.options, "ro"] };
}

/**
 * A read-only bind is read-only in depth where `mount_setattr` exists (Linux 5.12). `ro` stands beside `rro`, so that a
 * runtime which does not know the second still does the first.
 */
function specMount(wanted: MountInput, host: HostFacts): SpecMount {
  const destination = normalPath(wanted.destination);
  if (wanted.type === "tmpfs") {
    return mount(destination, "tmpfs", "tmpfs", tmpfsOptions(wanted.options ?? []));
  }
  const propagation: Propagation = wanted.propagation ?? "rprivate";
  const isRecursive = wanted.isRecursive ?? true;
  const options = [isRecursive ? "rbind" : "bind"];
  if (wanted.isReadOnly) options.push("ro");
  const isPrivate = propagation === "private" || propagation === "rprivate";
  const isDeep = wanted.isReadOnly && isRecursive && isPrivate && !wanted.readOnlyIsShallow;
  if (isDeep && hasRecursiveReadOnly(host)) options.push("rro");
  return mount(destination, "bind", wanted.source, [...options, propagation]);
}

/** Later options win over Docker's `noexec,nosuid,nodev`. moby/sys/mount `MergeTmpfsOptions`. */
function tmpfsOptions(options: readonly string[]): string[] {
  const flags = new Map([
    ["exec", "noexec"],
    ["suid", "nosuid"],
    ["dev", "nodev"],
  ]);
  const rest: string[] = [];
  for (const option of options.flatMap((text) => text.split(",")).filter((text) => text !== "")) {
    const subject = option.replace(/^no/, "");
    if (flags.has(subject)) flags.set(subject, option);
    else rest.push(option);
  }
  return [...flags.values(), "rprivate", ...rest];
}

function hasRecursiveReadOnly({ kernel: [major, minor] }: HostFacts): boolean {
  return major > 5 || (major === 5 && minor >= 12);
}

function initMount(input: SpecInput): MountInput[] {
  if (!input.init) return [];
  return [{ type: "bind", source: input.init.path, destination: "/sbin/docker-init", isReadOnly: true }];
}

function mount(destination: string, type: string, source: string, options: readonly string[]): SpecMount {
  return { destination, type, source, options };
}

function depth({ destination }: SpecMount): number {
  return destination === "/" ? 0 : destination.split("/").length;
}
