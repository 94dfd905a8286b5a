import { EngineError } from "#base/errors.ts";
import { parseSignal } from "#runtime/signals.ts";
import type { ContainerConfig } from "./container-config.ts";
import type { HostConfig } from "./host-config.ts";
import { parseNetworkMode } from "./network-mode.ts";
import { parsePortSpec } from "./port-spec.ts";

import { checkUnsupported } from "./unsupported.ts";

const MIN_MEMORY_BYTES = 6 * 1024 * 1024;
const MS = 1_000_000;

/** A rule and the words of its refusal; the first that holds is thrown. */
type Rule = readonly [isBroken: boolean, message: string];

/** Names of containers: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`. @throws {EngineError} invalid, in Docker's words */
export function checkName(name: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name)) return;
  refuse(`Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

/**
 * Refuses what can not run; what runs with a part left out is returned as warnings. Rules and texts: Docker's
 * daemon/container.go, daemon_unix.go and internal/runconfig.
 *
 * @param cpuCount processors of this host
 * @throws {EngineError} invalid; unsupported for what this engine can not apply
 */
export function validate(config: ContainerConfig, host: HostConfig, cpuCount: number): string[] {
  checkConfig(config);
  checkHealth(config);
  checkRestartPolicy(host);
  check(memoryRules(host));
  check(cpuRules(host, cpuCount));
  check(otherLimitRules(host));
  checkNamespaces(config, host);
  for (const entry of host.extraHosts ?? []) checkExtraHost(entry);
  for (const port of [...config.exposedPorts, ...host.portBindings.keys()]) parsePortSpec(port);
  checkUnsupported(host);
  return warningsOf(host);
}

/**
 * The part of `validate` that holds for a change of limits: swap without memory is no mistake, the container may have a
 * limit already.
 */
export function validateLimits(change: HostConfig, cpuCount: number): void {
  checkRestartPolicy(change);
  check(memoryRules({ ...change, memorySwapBytes: change.memoryBytes && change.memorySwapBytes }));
  check(cpuRules(change, cpuCount));
  check(otherLimitRules(change));
}

function checkConfig(config: ContainerConfig): void {
  for (const entry of config.env ?? []) {
    if (entry === "" || entry.startsWith("=")) refuse(`invalid environment variable: ${entry}`);
    if (entry.includes("\0")) refuse("invalid environment variable: it holds a zero byte");
  }
  if (config.workingDir !== undefined && !config.workingDir.startsWith("/")) {
    refuse(`the working directory '${config.workingDir}' is invalid, it needs to be an absolute path`);
  }
  if (config.stopSignal !== undefined) parseSignal(config.stopSignal);
}

function checkHealth({ healthcheck }: ContainerConfig): void {
  if (healthcheck === undefined) return;
  const times: [string, number | undefined][] = [
    ["Interval", healthcheck.intervalNs],
    ["Timeout", healthcheck.timeoutNs],
    ["StartPeriod", healthcheck.startPeriodNs],
    ["StartInterval", healthcheck.startIntervalNs],
  ];
  for (const [name, value] of times) {
    if (value !== undefined && value !== 0 && value < MS) {
      refuse(`${name} in Healthcheck cannot be less than 1ms`);
    }
  }
  if ((healthcheck.retries ?? 0) < 0) refuse("Retries in Healthcheck cannot be negative");
}

function checkRestartPolicy({
  restartPolicy: { name = "no", maximumRetryCount = 0 },
  autoRemove,
}: HostConfig) {
  const known = ["no", "always", "unless-stopped", "on-failure"];
  check([
    [
      !known.includes(name),
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    ],
    [
      maximumRetryCount !== 0 && name !== "on-failure",
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [maximumRetryCount < 0, "invalid restart policy: maximum retry count cannot be negative"],
    [autoRemove && name !== "no", "can't create 'AutoRemove' container with restart policy"],
  ]);
}

function memoryRules(host: HostConfig): Rule[] {
  const { memoryBytes: memory = 0, memorySwapBytes: swap = 0, memoryReservationBytes: reserved = 0 } = host;
  const swappiness = host.memorySwappiness ?? -1;
  return [
    [memory !== 0 && memory < MIN_MEMORY_BYTES, "Minimum memory limit allowed is 6MB"],
    [
      memory > 0 && swap > 0 && swap < memory,
      "Minimum memoryswap limit should be larger than memory limit, see usage",
    ],
    [
      memory === 0 && swap > 0,
      "You should always set the Memory limit when using Memoryswap limit, see usage",
    ],
    [
      swappiness < -1 || swappiness > 100,
      `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`,
    ],
    [reserved !== 0 && reserved < MIN_MEMORY_BYTES, "Minimum memory reservation allowed is 6MB"],
    [
      memory > 0 && reserved > 0 && memory < reserved,
      "Minimum memory limit can not be less than memory reservation limit, see usage",
    ],
    [(host.shmSizeBytes ?? 0) < 0, "SHM size can not be less than 0"],
  ];
}

function cpuRules(host: HostConfig, cpuCount: number): Rule[] {
  const { nanoCpus = 0, cpuPeriod = 0, cpuQuota = 0, cpuShares = 0 } = host;
  return [
    [nanoCpus !== 0 && cpuPeriod !== 0, "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
    [nanoCpus !== 0 && cpuQuota !== 0, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
    [
      nanoCpus < 0 || nanoCpus > cpuCount * 1e9,
      `Range of CPUs is from 0.01 to ${cpuCount}.00, as there are only ${cpuCount} CPUs available`,
    ],
    [cpuShares < 0, `invalid CPU shares (${cpuShares}): value must be a positive integer`],
    [
      cpuPeriod !== 0 && (cpuPeriod < 1000 || cpuPeriod > 1_000_000),
      "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
    ],
    [cpuQuota > 0 && cpuQuota < 1000, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
    [!isSet(host.cpusetCpus), `Invalid value ${host.cpusetCpus} for cpuset cpus`],
    [!isSet(host.cpusetMems), `Invalid value ${host.cpusetMems} for cpuset mems`],
    [
      highest(host.cpusetCpus) >= cpuCount,
      `Requested CPUs are not available - requested ${host.cpusetCpus}, available: 0-${cpuCount - 1}`,
    ],
  ];
}

function otherLimitRules(host: HostConfig): Rule[] {
  const { blkioWeight = 0, oomScoreAdj = 0 } = host;
  return [
    [
      blkioWeight !== 0 && (blkioWeight < 10 || blkioWeight > 1000),
      "Range of blkio weight is from 10 to 1000",
    ],
    [
      host.blkioWeightDevice.some(({ weight = 0 }) => weight < 10 || weight > 1000),
      "Range of blkio weight is from 10 to 1000",
    ],
    [
      oomScoreAdj < -1000 || oomScoreAdj > 1000,
      `Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`,
    ],
    [
      host.ulimits.some(({ soft = 0, hard = 0 }) => hard !== -1 && (soft > hard || soft === -1)),
      "ulimit soft limit must be less than or equal to hard limit",
    ],
    [
      (host.ioMaximumIops ?? 0) !== 0 || (host.ioMaximumBandwidth ?? 0) !== 0,
      "Invalid QoS settings: linux does not support Maximum IO settings",
    ],
    [
      (host.cpuPercent ?? 0) !== 0 || (host.cpuCount ?? 0) !== 0,
      "Invalid CPU settings: linux does not support CPU percent and CPU count",
    ],
  ];
}

function checkNamespaces(config: ContainerConfig, host: HostConfig): void {
  const network = parseNetworkMode(host.networkMode);
  const joins = network.kind === "container";
  const isIn = (value: string | undefined, ...modes: string[]): boolean =>
    value === undefined ||
    modes.includes(value) ||
    (modes.includes("container:") && /^container:.+/.test(value));
  check([
    [
      (joins || host.utsMode === "host") && config.hostname !== undefined,
      `conflicting options: hostname and the ${joins ? "network" : "UTS"} mode`,
    ],
    [
      joins && (host.links ?? []).length > 0,
      "conflicting options: container type network can't be used with links. This would result in undefined behavior",
    ],
    [
      network.kind === "host" && (host.links ?? []).length > 0,
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    ],
    [joins && (host.dns ?? []).length > 0, "conflicting options: dns and the network mode"],
    [
      joins && (host.extraHosts ?? []).length > 0,
      "conflicting options: custom host-to-IP mapping and the network mode",
    ],
    [
      joins && (host.portBindings.size > 0 || host.publishAllPorts),
      "conflicting options: port publishing and the container type network mode",
    ],
    [
      joins && config.exposedPorts.length > 0,
      "conflicting options: port exposing and the container type network mode",
    ],
    [
      network.kind !== "network" && config.macAddress !== undefined,
      "conflicting options: mac-address and the network mode",
    ],
    [
      !isIn(host.ipcMode, "private", "none", "shareable", "host", "container:"),
      `invalid IPC mode: ${host.ipcMode}`,
    ],
    [!isIn(host.pidMode, "host", "container:"), `invalid PID mode: ${host.pidMode}`],
    [!isIn(host.utsMode, "host"), `invalid UTS mode: ${host.utsMode}`],
    [!isIn(host.cgroupnsMode, "private", "host"), `invalid cgroup namespace mode: ${host.cgroupnsMode}`],
    [!isIn(host.isolation, "default"), `invalid isolation '${host.isolation}' on linux`],
  ]);
}

function checkExtraHost(entry: string): void {
  const colon = entry.search(/[:=]/);
  if (colon < 1) refuse(`bad format for add-host: "${entry}"`);
  const address = entry.slice(colon + 1).replace(/^\[(.*)\]$/, "$1");
  if (address === "host-gateway") return;
  if (!/^[0-9a-fA-F.:]+$/.test(address)) refuse(`invalid IP address in add-host: "${address}"`);
  if (/\s/.test(entry)) refuse(`bad format for add-host: "${entry}"`);
}

function warningsOf(host: HostConfig): string[] {
  const warnings: string[] = [];
  if (host.oomKillDisable && host.memoryBytes === undefined) {
    warnings.push(
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    );
  }
  if (host.networkMode === "host" && host.portBindings.size > 0) {
    warnings.push("Published ports are discarded when using host network mode");
  }
  return warnings;
}

/** `0-3,5`; absent is well formed. */
function isSet(list: string | undefined): boolean {
  return list === undefined || /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(list);
}

function highest(list: string | undefined): number {
  return Math.max(-1, ...(list?.match(/\d+/g) ?? []).map(Number));
}

function check(rules: readonly Rule[]): void {
  const broken = rules.find(([isBroken]) => isBroken);
  if (broken) refuse(broken[1]);
}

function refuse(message: string): never {
  throw new EngineError("invalid", message);
}
