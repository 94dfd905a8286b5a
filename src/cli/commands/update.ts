import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { containerFlags } from "../container-flags.ts";
import { forEachArgument } from "../for-each.ts";
import { parseRestartPolicy } from "../specs/resources.ts";

const {
  blkioWeight,
  cpuPeriod,
  cpuQuota,
  cpuRtPeriod,
  cpuRtRuntime,
  cpuShares,
  cpus,
  cpusetCpus,
  cpusetMems,
  kernelMemory,
  memory,
  memoryReservation,
  memorySwap,
  pidsLimit,
  restart,
} = containerFlags;

export const update = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {
    blkioWeight,
    cpuPeriod,
    cpuQuota,
    cpuRtPeriod: { ...cpuRtPeriod, help: "Limit the CPU real-time period in microseconds" },
    cpuRtRuntime: { ...cpuRtRuntime, help: "Limit the CPU real-time runtime in microseconds" },
    cpuShares,
    cpus,
    cpusetCpus,
    cpusetMems,
    kernelMemory: { ...kernelMemory, hidden: true },
    memory,
    memoryReservation,
    memorySwap,
    pidsLimit,
    restart: { type: restart.type, help: restart.help },
  },
  run(args, flags, context) {
    if (context.given.size === 0) {
      throw new EngineError("invalid", "you must provide one or more flags when using this command");
    }
    const change = {
      BlkioWeight: flags.blkioWeight ?? 0,
      CpuPeriod: flags.cpuPeriod ?? 0,
      CpuQuota: flags.cpuQuota ?? 0,
      CpuRealtimePeriod: flags.cpuRtPeriod ?? 0,
      CpuRealtimeRuntime: flags.cpuRtRuntime ?? 0,
      CpuShares: flags.cpuShares ?? 0,
      NanoCpus: Math.round((flags.cpus ?? 0) * 1e9),
      CpusetCpus: flags.cpusetCpus ?? "",
      CpusetMems: flags.cpusetMems ?? "",
      Memory: flags.memory ?? 0,
      MemoryReservation: flags.memoryReservation ?? 0,
      MemorySwap: flags.memorySwap ?? 0,
      PidsLimit: flags.pidsLimit ?? null,
      ...(flags.restart !== undefined && { RestartPolicy: parseRestartPolicy(flags.restart) }),
    };
    return forEachArgument(args, context, async (id) => {
      const { Warnings: warnings } = await context.client.watch.update(id, change);
      for (const warning of warnings ?? []) context.error.write(`${warning}\n`);
      return id;
    });
  },
});
