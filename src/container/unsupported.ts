import { EngineError } from "#base/errors.ts";
import type { HostConfig } from "./host-config.ts";
import { parseLogConfig } from "./logs/log-options.ts";

const RUNTIMES = ["crun", "runc", "io.containerd.runc.v2"];

/**
 * Settings that the API has and this engine can not apply, each refused by its name: without it the container would be
 * another one.
 *
 * @throws {EngineError} unsupported or invalid
 */
export function checkUnsupported(host: HostConfig): void {
  const refusals: [boolean, string, string][] = [
    [host.storageOpt.size > 0, "StorageOpt", "the overlay snapshotter has no quota"],
    [
      host.usernsMode !== undefined && host.usernsMode !== "host",
      "UsernsMode",
      "user namespaces are not remapped",
    ],
    [host.cgroup !== undefined, "Cgroup", "cgroups of other containers can not be joined"],
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
