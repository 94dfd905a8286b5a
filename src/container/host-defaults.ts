import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from "#runtime/spec/protected-paths.ts";
import type { HostConfig } from "./host-config.ts";
import { DEFAULT_NETWORK } from "./network-mode.ts";

const DEFAULT_SHM_BYTES = 64 * 1024 * 1024;

/** Names under which clients ask for the runtime that is there. */
const DOCKER_RUNTIMES = ["runc", "io.containerd.runc.v2"];

/** Fills what Docker fills at create, so that inspect shows what will be done. daemon/container_operations.go. */
export function withDefaults(host: HostConfig, cgroupnsMode: "private" | "host"): HostConfig {
  const { networkMode, memoryBytes, memorySwapBytes, pidsLimit, restartPolicy, logConfig } = host;
  return {
    ...host,
    networkMode: networkMode === undefined || networkMode === "default" ? DEFAULT_NETWORK : networkMode,
    // A limit on memory alone allows as much swap again.
    memorySwapBytes:
      memoryBytes !== undefined && memorySwapBytes === undefined ? memoryBytes * 2 : memorySwapBytes,
    memorySwappiness: host.memorySwappiness === -1 ? undefined : host.memorySwappiness,
    pidsLimit: pidsLimit !== undefined && pidsLimit <= 0 ? undefined : pidsLimit,
    restartPolicy: { ...restartPolicy, name: restartPolicy.name ?? "no" },
    logConfig: { ...logConfig, type: logConfig.type ?? "json-file" },
    shmSizeBytes: host.shmSizeBytes ?? DEFAULT_SHM_BYTES,
    ipcMode: host.ipcMode ?? "private",
    cgroupnsMode: host.cgroupnsMode ?? cgroupnsMode,
    runtime: host.runtime === undefined || DOCKER_RUNTIMES.includes(host.runtime) ? "crun" : host.runtime,
    extraHosts: host.extraHosts?.map((entry) => entry.replace(/^([^:=]+)=/, "$1:")),
    maskedPaths: host.maskedPaths ?? (host.privileged ? undefined : DEFAULT_MASKED_PATHS),
    readonlyPaths: host.readonlyPaths ?? (host.privileged ? undefined : DEFAULT_READONLY_PATHS),
  };
}
