import { EngineError } from "#base/errors.ts";
import type { LinuxResources } from "#oci/runtime-spec.ts";
import type { CgroupFacts } from "./host-facts.ts";
import type { ResourceInput } from "./spec-input.ts";

type Warn = (warning: string) => void;
type Memory = NonNullable<LinuxResources["memory"]>;
type Cpu = NonNullable<LinuxResources["cpu"]>;
type BlockIo = NonNullable<LinuxResources["blockIO"]>;

/** The period Docker writes for `NanoCpus`: 100 ms. */
const CPU_PERIOD_US = 100_000;

/**
 * Limits in the specification's form, without the device rules. What the host's cgroups cannot do is left out with
 * Docker's own warning (moby daemon/daemon_unix.go `verifyPlatformContainerResources`), never an error.
 */
export function resourceLimits(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): LinuxResources {
  const memory = memoryLimits(input, cgroup, warn);
  const cpu = cpuLimits(input, cgroup, warn);
  const blockIO = blockIoLimits(input, cgroup, warn);
  const pids = pidsLimit(input, cgroup, warn);
  return {
    ...(memory && { memory }),
    ...(cpu && { cpu }),
    ...(blockIO && { blockIO }),
    ...(pids && { pids }),
  };
}

function memoryLimits(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): Memory | undefined {
  const wanted: Memory = {
    ...(input.memoryBytes && { limit: input.memoryBytes }),
    ...(input.memoryReservationBytes && { reservation: input.memoryReservationBytes }),
    ...swapLimit(input, cgroup, warn),
    ...memoryHabits(input, cgroup, warn),
  };
  if (isEmpty(wanted)) return undefined;
  if (cgroup.controllers.has("memory")) return wanted;
  warn(
    "Your kernel does not support memory limit capabilities or the cgroup is not mounted. Limitation discarded.",
  );
  return undefined;
}

function swapLimit(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): Memory {
  if (!input.memoryBytes) return {};
  const swap = input.memorySwapBytes || input.memoryBytes * 2;
  if (cgroup.hasSwapLimit) return { swap };
  if (input.memorySwapBytes !== -1) {
    warn(
      "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.",
    );
  }
  return {};
}

function memoryHabits(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): Memory {
  const hasSwappiness = input.memorySwappiness !== undefined && input.memorySwappiness >= 0;
  if (cgroup.mode !== "v2") {
    return {
      ...(hasSwappiness && { swappiness: input.memorySwappiness }),
      ...(input.isOomKillDisabled && { disableOOMKiller: true }),
    };
  }
  if (hasSwappiness) {
    warn(
      "Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.",
    );
  }
  if (input.isOomKillDisabled) {
    warn("Your kernel does not support OomKillDisable. OomKillDisable discarded.");
  }
  return {};
}

function cpuLimits(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): Cpu | undefined {
  const time = cpuTime(input);
  checkRealtime(input, cgroup);
  const sets: Cpu = {
    ...(input.cpusetCpus && { cpus: input.cpusetCpus }),
    ...(input.cpusetMems && { mems: input.cpusetMems }),
  };
  const hasTime = isEmpty(time) || cgroup.controllers.has("cpu");
  const hasSets = isEmpty(sets) || cgroup.controllers.has("cpuset");
  if (!hasTime)
    warn("Your kernel does not support CPU limits or the cgroup is not mounted. Limits discarded.");
  if (!hasSets) warn("Your kernel does not support cpuset or the cgroup is not mounted. Cpuset discarded.");
  const cpu = { ...(hasTime && time), ...(hasSets && sets) };
  return isEmpty(cpu) ? undefined : cpu;
}

/** Refused, not left out: what asks for it cannot do with less. moby daemon/daemon_unix.go. */
function checkRealtime(
  { cpuRealtimePeriodUs, cpuRealtimeRuntimeUs }: ResourceInput,
  cgroup: CgroupFacts,
): void {
  if (!cpuRealtimePeriodUs && !cpuRealtimeRuntimeUs) return;
  if (!cgroup.controllers.has("cpu.rt")) {
    throw new EngineError("invalid", "kernel does not support CPU real-time scheduler");
  }
  if (cpuRealtimePeriodUs && cpuRealtimeRuntimeUs && cpuRealtimeRuntimeUs > cpuRealtimePeriodUs) {
    throw new EngineError("invalid", "cpu real-time runtime cannot be higher than cpu real-time period");
  }
}

function cpuTime(input: ResourceInput): Cpu {
  const byNano = input.nanoCpus
    ? { quota: Math.round((input.nanoCpus * CPU_PERIOD_US) / 1e9), period: CPU_PERIOD_US }
    : {};
  return {
    ...(input.cpuShares && { shares: input.cpuShares }),
    ...(input.cpuQuotaUs && { quota: input.cpuQuotaUs }),
    ...(input.cpuPeriodUs && { period: input.cpuPeriodUs }),
    ...byNano,
    ...(input.cpuRealtimeRuntimeUs && { realtimeRuntime: input.cpuRealtimeRuntimeUs }),
    ...(input.cpuRealtimePeriodUs && { realtimePeriod: input.cpuRealtimePeriodUs }),
  };
}

function blockIoLimits(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): BlockIo | undefined {
  const wanted: BlockIo = {
    ...weights(input, cgroup, warn),
    ...(input.readBps?.length && { throttleReadBpsDevice: input.readBps }),
    ...(input.writeBps?.length && { throttleWriteBpsDevice: input.writeBps }),
    ...(input.readIops?.length && { throttleReadIOPSDevice: input.readIops }),
    ...(input.writeIops?.length && { throttleWriteIOPSDevice: input.writeIops }),
  };
  if (isEmpty(wanted)) return undefined;
  if (cgroup.controllers.has("blkio")) return wanted;
  warn("Your kernel does not support Block I/O limits or the cgroup is not mounted. Limits discarded.");
  return undefined;
}

function weights(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): BlockIo {
  const wanted: [BlockIo, string, string][] = [];
  if (input.blockIoWeight) wanted.push([{ weight: input.blockIoWeight }, "blkio.weight", "weight"]);
  if (input.blockIoWeightDevices?.length) {
    wanted.push([{ weightDevice: input.blockIoWeightDevices }, "blkio.weight_device", "weight_device"]);
  }
  return Object.assign(
    {},
    ...wanted.map(([limit, control, name]) => {
      if (cgroup.controllers.has(control)) return limit;
      warn(
        `Your kernel does not support Block I/O ${name} or the cgroup is not mounted. ${name === "weight" ? "Weight" : "Weight-device"} discarded.`,
      );
      return {};
    }),
  );
}

function pidsLimit(input: ResourceInput, cgroup: CgroupFacts, warn: Warn): { limit: number } | undefined {
  if (!input.pidsLimit || input.pidsLimit < 0) return undefined;
  if (cgroup.controllers.has("pids")) return { limit: input.pidsLimit };
  warn(
    "Your kernel does not support PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.",
  );
  return undefined;
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
