import { parseBind } from "./bind-spec.ts";
import type { HostConfig } from "./host-config.ts";
import type { World } from "./world.ts";

/**
 * A volume has another name: what containers remember of their mounts, and what was asked for them, follows. It is a
 * chosen name now, so that the volume no longer goes away with a container. Idempotent.
 */
export function renameVolumeInRecords(
  { registry, volumes }: Pick<World, "registry" | "volumes">,
  name: string,
  newName: string,
): void {
  for (const id of registry.usersOfVolume(name)) {
    registry.update(id, ({ mounts, hostConfig }) => ({
      mounts: mounts.map((mount) =>
        mount.type === "volume" && mount.name === name
          ? { ...mount, name: newName, source: volumes.path(newName), isAnonymous: false }
          : mount,
      ),
      hostConfig: renamedIn(hostConfig, name, newName),
    }));
  }
}

function renamedIn(host: HostConfig, name: string, newName: string): HostConfig {
  return {
    ...host,
    binds: host.binds?.map((text) => {
      const { source } = parseBind(text);
      const isIt = source.kind === "volume" && source.name === name;
      return isIt ? `${newName}${text.slice(name.length)}` : text;
    }),
    mounts: host.mounts.map((mount) =>
      mount.type === "volume" && mount.source === name ? { ...mount, source: newName } : mount,
    ),
  };
}
