import { EngineError } from "#base/errors.ts";
import type { LinuxResources } from "#oci/runtime-spec.ts";
import type { HostFacts } from "#runtime/spec/host-facts.ts";
import { resourceLimits } from "#runtime/spec/resources.ts";
import { containerEvent } from "./events.ts";
import type { HostConfig } from "./host-config.ts";
import { resourceInput } from "./spec-plan.ts";
import { isAlive } from "./state.ts";
import { validateLimits } from "./validate.ts";
import type { World } from "./world.ts";

/** Limits and a restart policy to have from now on; what is absent stays. Other fields are not looked at. */
export type LimitChange = HostConfig;

/**
 * Changes limits and restart policy. A running container has them when this resolves, any other from its next start.
 * Rules and texts: Docker's daemon/update.go and container/container_unix.go.
 *
 * @returns warnings: what this host can not do
 * @throws {EngineError} not-found; invalid; conflict with what the container has, or while it is being removed; internal
 *   when the kernel refuses, and then the record stays what it was
 */
export async function updateContainer(
  world: World,
  reference: string,
  change: LimitChange,
): Promise<string[]> {
  const { id } = world.registry.get(reference);
  validateLimits(change, world.cpuCount);
  return await world.lock.run(id, async () => {
    const { state, hostConfig } = world.registry.get(id);
    if (state.status === "removing" || state.status === "dead") {
      throw cannotUpdate(id, `container is marked for removal and cannot be "update"`);
    }
    const conflict = conflictOf(hostConfig, change);
    if (conflict !== undefined) throw cannotUpdate(id, conflict);
    const after = changedLimits(hostConfig, change);
    const { limits, warnings } = limitsToApply(change, after, world.facts);
    if (isAlive(state) && Object.keys(limits).length > 0) await world.runtime.update(id, limits);
    const record = world.registry.update(id, () => ({ hostConfig: after }));
    world.emit(containerEvent(record, "update"));
    return warnings;
  });
}

/** Why the change does not go with what the container has. */
export function conflictOf(has: HostConfig, change: LimitChange): string | undefined {
  const memory = change.memoryBytes ?? 0;
  const swap = has.memorySwapBytes ?? 0;
  const policy = change.restartPolicy.name;
  const rules: [boolean, string][] = [
    [
      isPositive(change.nanoCpus) && isPositive(has.cpuPeriod),
      "Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set",
    ],
    [
      isPositive(change.nanoCpus) && isPositive(has.cpuQuota),
      "Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set",
    ],
    [
      isPositive(change.cpuPeriod) && isPositive(has.nanoCpus),
      "Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set",
    ],
    [
      isPositive(change.cpuQuota) && isPositive(has.nanoCpus),
      "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set",
    ],
    [
      swap > 0 && memory > swap && change.memorySwapBytes === undefined,
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    ],
    [
      has.autoRemove && policy !== undefined && policy !== "no",
      "Restart policy cannot be updated because AutoRemove is enabled for the container",
    ],
  ];
  return rules.find(([holds]) => holds)?.[1];
}

/** The configuration with the change in it. A memory limit alone allows as much swap again, as at create. */
export function changedLimits(has: HostConfig, change: LimitChange): HostConfig {
  const memorySwapBytes =
    change.memorySwapBytes ??
    has.memorySwapBytes ??
    (change.memoryBytes === undefined ? undefined : change.memoryBytes * 2);
  const isUnlimited = change.pidsLimit !== undefined && change.pidsLimit <= 0;
  return {
    ...has,
    blkioWeight: change.blkioWeight ?? has.blkioWeight,
    blkioDeviceReadBps: orElse(change.blkioDeviceReadBps, has.blkioDeviceReadBps),
    blkioDeviceWriteBps: orElse(change.blkioDeviceWriteBps, has.blkioDeviceWriteBps),
    blkioDeviceReadIops: orElse(change.blkioDeviceReadIops, has.blkioDeviceReadIops),
    blkioDeviceWriteIops: orElse(change.blkioDeviceWriteIops, has.blkioDeviceWriteIops),
    cpuShares: change.cpuShares ?? has.cpuShares,
    nanoCpus: change.nanoCpus ?? has.nanoCpus,
    cpuPeriod: change.cpuPeriod ?? has.cpuPeriod,
    cpuQuota: change.cpuQuota ?? has.cpuQuota,
    cpusetCpus: change.cpusetCpus ?? has.cpusetCpus,
    cpusetMems: change.cpusetMems ?? has.cpusetMems,
    cpuRealtimePeriod: change.cpuRealtimePeriod ?? has.cpuRealtimePeriod,
    cpuRealtimeRuntime: change.cpuRealtimeRuntime ?? has.cpuRealtimeRuntime,
    memoryBytes: change.memoryBytes ?? has.memoryBytes,
    memorySwapBytes,
    memoryReservationBytes: change.memoryReservationBytes ?? has.memoryReservationBytes,
    pidsLimit: isUnlimited ? undefined : (change.pidsLimit ?? has.pidsLimit),
    restartPolicy: change.restartPolicy.name === undefined ? has.restartPolicy : change.restartPolicy,
  };
}

/** Only what was asked for: a limit that somebody else has set on the cgroup stays. Memory and swap go together. */
function limitsToApply(
  change: LimitChange,
  after: HostConfig,
  { cgroup }: HostFacts,
): { limits: LinuxResources; warnings: string[] } {
  const warnings: string[] = [];
  const touchesMemory = change.memoryBytes !== undefined || change.memorySwapBytes !== undefined;
  const asked = {
    ...change,
    ...(touchesMemory && { memoryBytes: after.memoryBytes, memorySwapBytes: after.memorySwapBytes }),
    // Read by create alone.
    memorySwappiness: undefined,
    oomKillDisable: undefined,
  };
  const limits = resourceLimits(resourceInput(asked), cgroup, (warning) => warnings.push(warning));
  const isUnlimited = change.pidsLimit !== undefined && change.pidsLimit <= 0;
  return { limits: { ...limits, ...(isUnlimited && { pids: { limit: -1 } }) }, warnings };
}

function cannotUpdate(id: string, reason: string): EngineError {
  return new EngineError("conflict", `Cannot update container ${id}: ${reason}`);
}

function isPositive(value: number | undefined): boolean {
  return value !== undefined && value > 0;
}

function orElse<T>(list: readonly T[], otherwise: readonly T[]): readonly T[] {
  return list.length > 0 ? list : otherwise;
}
