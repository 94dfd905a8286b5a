import { readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";
import type { DeviceRule, ThrottleDevice } from "#oci/runtime-spec.ts";
import type { DeviceInput } from "#runtime/spec/spec-input.ts";
import type { HostConfig } from "./host-config.ts";

type DeviceMapping = HostConfig["devices"][number];

/**
 * The devices of the host that a mapping names: one, or all below a folder (`/dev/snd`).
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function hostDevices(mapping: DeviceMapping): DeviceInput[] {
  const { pathOnHost = "", pathInContainer = pathOnHost, cgroupPermissions = "rwm" } = mapping;
  if (!/^[rwm]{1,3}$/.test(cgroupPermissions)) {
    throw new EngineError("invalid", `invalid device mode: ${cgroupPermissions}`);
  }
  if (!pathInContainer.startsWith("/"))
    throw new EngineError("invalid", `${pathInContainer} is not an absolute path`);
  const real = resolve(pathOnHost);
  const stats = statSync(real);
  if (!stats.isDirectory())
    return [device(real, { path: pathInContainer, access: cgroupPermissions, stats })];
  return readdirSync(real, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const found = statSync(join(real, name), { throwIfNoEntry: false });
    if (found === undefined || (!found.isCharacterDevice() && !found.isBlockDevice())) return [];
    const path = join(pathInContainer, name);
    return [device(join(real, name), { path, access: cgroupPermissions, stats: found })];
  });
}

/** Reads `c 1:3 rwm`. @throws {EngineError} invalid, in Docker's words */
export function parseDeviceRule(text: string): DeviceRule {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (!match) throw new EngineError("invalid", `invalid device cgroup rule format: '${text}'`);
  const [, type, major = "*", minor = "*", access = "rwm"] = match;
  return {
    allow: true,
    type: type === "a" || type === "b" ? type : "c",
    ...(major !== "*" && { major: Number(major) }),
    ...(minor !== "*" && { minor: Number(minor) }),
    access,
  };
}

/** @throws {EngineError} invalid when there is no such device */
export function throttle({
  path = "",
  rate = 0,
}: {
  readonly path: string | undefined;
  readonly rate: number | undefined;
}): ThrottleDevice {
  return { ...deviceNumbers(path), rate };
}

/** @throws {EngineError} invalid when there is no such device */
export function deviceNumbers(path = ""): { readonly major: number; readonly minor: number } {
  return numbersOf(statSync(resolve(path)));
}

function device(
  path: string,
  { path: inside, access, stats }: { path: string; access: string; stats: Stats },
): DeviceInput {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) {
    throw new EngineError(
      "invalid",
      `error gathering device information while adding custom device "${path}": not a device node`,
    );
  }
  return {
    device: {
      path: inside,
      type: stats.isBlockDevice() ? "b" : "c",
      ...numbersOf(stats),
      fileMode: stats.mode & 0o777,
      uid: stats.uid,
      gid: stats.gid,
    },
    access,
  };
}

function resolve(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
    throw new EngineError(
      "invalid",
      `error gathering device information while adding custom device "${path}": no such file or directory`,
      { cause: error },
    );
  }
}

/** `makedev(3)` taken apart, as Linux packs it. */
function numbersOf({ rdev }: Stats): { readonly major: number; readonly minor: number } {
  const packed = BigInt(rdev);
  return {
    major: Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n)),
    minor: Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n)),
  };
}
