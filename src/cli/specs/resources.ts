import type { DeviceMapping, DeviceRequest, RestartPolicy, ThrottleDevice, Ulimit } from "#api/containers.ts";
import { EngineError } from "#base/errors.ts";
import { parseBytes } from "./bytes.ts";
import { cutAt, parseCsv } from "./key-values.ts";

const ULIMITS =
  "as core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(
    " ",
  );

/** `--device /dev/x[:/dev/y][:rwm]`. @throws {EngineError} invalid */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(":");
  const isMode = (part: string | undefined): boolean => part !== undefined && /^[rwm]{1,3}$/.test(part);
  const [source = "", second, third] = parts;
  const isWrong = parts.length > 3 || source === "" || (third !== undefined && !isMode(third));
  if (isWrong) throw new EngineError("invalid", `invalid device specification: ${text}`);
  const target = second === undefined || isMode(second) ? source : second;
  return {
    PathOnHost: source,
    PathInContainer: target,
    CgroupPermissions: third ?? (isMode(second) && second !== undefined ? second : "rwm"),
  };
}

/** `--device-read-bps /dev/sda:1mb`. @throws {EngineError} invalid */
export function parseThrottleBytes(text: string): ThrottleDevice {
  const [path, rate] = splitDevice(text);
  return { Path: path, Rate: parseBytes(rate) };
}

/** `--device-read-iops /dev/sda:1000`. @throws {EngineError} invalid */
export function parseThrottleCount(text: string): ThrottleDevice {
  const [path, rate] = splitDevice(text);
  return { Path: path, Rate: wholeNumber(rate, text) };
}

/** `--blkio-weight-device /dev/sda:500`. @throws {EngineError} invalid */
export function parseWeightDevice(text: string): { Path: string; Weight: number } {
  const [path, weight] = splitDevice(text);
  const number = wholeNumber(weight, text);
  if (number !== 0 && (number < 10 || number > 1000)) {
    throw new EngineError("invalid", `invalid weight for device: ${text}`);
  }
  return { Path: path, Weight: number };
}

/** `--ulimit nofile=1024:2048`; -1 is unlimited. @throws {EngineError} invalid */
export function parseUlimit(text: string): Ulimit {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  const name = match?.[1] ?? cutAt(text, "=")[0];
  if (!match) throw new EngineError("invalid", `invalid ulimit argument: ${text}`);
  if (!ULIMITS.includes(name)) throw new EngineError("invalid", `invalid ulimit type: ${name}`);
  const soft = Number(match[2]);
  const hard = Number(match[3] ?? match[2]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw new EngineError(
      "invalid",
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
    );
  }
  return { Name: name, Soft: soft, Hard: hard };
}

/** `--restart on-failure:3`. @throws {EngineError} invalid */
export function parseRestartPolicy(text: string | undefined): RestartPolicy {
  const [name, count] = cutAt(text ?? "no", ":");
  if (count === undefined) return { Name: name, MaximumRetryCount: 0 };
  if (!/^\d{1,9}$/.test(count)) {
    throw new EngineError("invalid", "invalid restart policy format: maximum retry count must be an integer");
  }
  return { Name: name, MaximumRetryCount: Number(count) };
}

/** `--gpus all`, `--gpus 2`, `--gpus device=0,capabilities=utility`. @throws {EngineError} invalid */
export function parseGpus(text: string): DeviceRequest {
  let count = 0;
  let ids: string[] | null = null;
  let driver = "";
  const capabilities = new Set(["gpu"]);
  const options: Record<string, string> = {};
  for (const field of parseCsv(text)) {
    const [name, text_] = cutAt(field, "=");
    const [key, value] = text_ === undefined ? ["count", name] : [name, text_];
    if (key === "count") count = value === "all" ? -1 : wholeNumber(value, text);
    else if (key === "device") ids = value.split(",");
    else if (key === "driver") driver = value;
    else if (key === "capabilities") for (const one of value.split(",")) capabilities.add(one);
    else if (key === "options") options[cutAt(value, "=")[0]] = cutAt(value, "=")[1] ?? "";
    else throw new EngineError("invalid", `unexpected key '${key}' in '${field}'`);
  }
  if (ids === null && count === 0) count = 1;
  return {
    Driver: driver,
    Count: count,
    DeviceIDs: ids,
    Capabilities: [[...capabilities]],
    Options: options,
  };
}

function splitDevice(text: string): [string, string] {
  const [path, value, ...more] = text.split(":");
  if (!path?.startsWith("/dev/") || value === undefined || more.length > 0) {
    throw new EngineError("invalid", `bad format: ${text}: it must be /dev/NAME:VALUE`);
  }
  return [path, value];
}

function wholeNumber(text: string, whole: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new EngineError("invalid", `invalid number in ${whole}`);
  return Number(text);
}
