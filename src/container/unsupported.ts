import { EngineError } from "#base/errors.ts";
import type { HostConfig } from "./host-config.ts";
import { parseLogConfig } from "./logs/log-options.ts";

const RUNTIMES = ["crun", "runc", "io.containerd.runc.v2"];

/**
 * Settings that the API has and this engine can not apply: each is refused by name where the container would be
 * another one without it, and returned as a warning where it would only be less.
 *
 * @throws {EngineError} unsupported or invalid
 */
export function checkUnsupported(host: HostConfig): string[] {
  const refusals: [boolean, string, string][] = [
    [isFilled(host.links), "Links", "containers of the default bridge can not be linked"],
    [host.storageOpt.size > 0, "StorageOpt", "the overlay snapshotter has no quota"],
    [
      host.usernsMode !== undefined && host.usernsMode !== "host",
      "UsernsMode",
      "user namespaces are not remapped",
    ],
    [
      isFilled(host.blkioWeightDevice),
      "BlkioWeightDevice",
      "weights by device are not handed to the runtime",
    ],
    [
      isFilled(host.cgroup === undefined ? [] : [host.cgroup]),
      "Cgroup",
      "cgroups of other containers can not be joined",
    ],
    [
      host.ipcMode?.startsWith("container:") ?? false,
      "IpcMode",
      "the IPC namespace of another container can not be joined",
    ],
    [
      host.volumeDriver !== undefined && host.volumeDriver !== "local",
      "VolumeDriver",
      `there is no volume driver "${host.volumeDriver}"`,
    ],
  ];
  for (const [isAsked, field, reason] of refusals) {
    if (isAsked) throw new EngineError("unsupported", `Cannot apply HostConfig.${field}: ${reason}`);
  }
  checkDrivers(host);
  return warnings(host);
}

function checkDrivers(host: HostConfig): void {
  const [request] = host.deviceRequests;
  if (request) {
    const capabilities = request.capabilities.map((set) => `[${set.join(" ")}]`).join(" ");
    throw new EngineError(
      "invalid",
      `could not select device driver "${request.driver ?? ""}" with capabilities: [${capabilities}]`,
    );
  }
  if (host.runtime !== undefined && !RUNTIMES.includes(host.runtime)) {
    throw new EngineError("invalid", `unknown or invalid runtime name: ${host.runtime}`);
  }
  parseLogConfig(host.logConfig);
}

function warnings(host: HostConfig): string[] {
  const list: [boolean, string][] = [
    [host.annotations.size > 0, "Annotations are kept and shown, and not handed to the runtime"],
  ];
  return list.filter(([applies]) => applies).map(([, text]) => text);
}

function isFilled(list: readonly unknown[] | undefined): boolean {
  return list !== undefined && list.length > 0;
}
