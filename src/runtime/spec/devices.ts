import type { DeviceRule, SpecDevice } from "#oci/runtime-spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { SpecInput } from "./spec-input.ts";

/** Null, zero, full, random, urandom, tty, console may be used; fuse not. moby daemon/pkg/oci/defaults.go. */
const DEFAULT_RULES: readonly DeviceRule[] = [
  { allow: false, access: "rwm" },
  ...[
    [1, 5],
    [1, 3],
    [1, 9],
    [1, 8],
    [5, 0],
    [5, 1],
  ].map(([major = 0, minor = 0]): DeviceRule => ({ allow: true, type: "c", major, minor, access: "rwm" })),
  { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
];

/** Device nodes to make besides the runtime's own, and who may use what: the rules hold in order, the last wins. */
export function specDevices(
  input: SpecInput,
  host: HostFacts,
): { devices: readonly SpecDevice[]; rules: readonly DeviceRule[] } {
  const own = input.devices ?? [];
  const extra = input.deviceRules ?? [];
  if (input.isPrivileged) {
    const taken = new Set(own.map(({ device }) => device.path));
    return {
      devices: [...host.devices.filter(({ path }) => !taken.has(path)), ...own.map(({ device }) => device)],
      rules: [{ allow: true, access: "rwm" }],
    };
  }
  return {
    devices: own.map(({ device }) => device),
    rules: [...DEFAULT_RULES, ...own.map(ruleFor), ...extra],
  };
}

function ruleFor({ device, access }: { device: SpecDevice; access: string }): DeviceRule {
  return {
    allow: true,
    type: device.type === "b" ? "b" : "c",
    ...(device.major !== undefined && { major: device.major }),
    ...(device.minor !== undefined && { minor: device.minor }),
    access,
  };
}
