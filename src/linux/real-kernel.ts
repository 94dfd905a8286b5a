import { realFiles } from "./_files.ts";
import { realHost } from "./_host.ts";
import { realMounts } from "./_mounts.ts";
import { realNamespaces } from "./_namespaces.ts";
import { realProcesses } from "./_processes.ts";
import type { Kernel } from "./kernel.ts";

/** The kernel we run on. It holds no state of its own, so one or many make no difference. */
export function openKernel(): Kernel {
  return { ...realMounts, ...realNamespaces, ...realFiles, ...realProcesses, ...realHost };
}
