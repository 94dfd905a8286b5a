import { join } from "node:path";
import type { ContainerId } from "#base/ids.ts";

/*
 *   <state>/<id>/                hostname  hosts  resolv.conf  container.log
 *   <run>/<id>/rootfs            the container's root, mounted from start to exit
 */

export interface ContainerPaths {
  readonly state: string;
  readonly hostname: string;
  readonly hosts: string;
  readonly resolvConf: string;
  readonly log: string;
  readonly rootfs: string;
}

/** Where the files of one container lie. */
export function containerPaths(
  folders: { readonly state: string; readonly run: string },
  id: ContainerId,
): ContainerPaths {
  const state = join(folders.state, id);
  return {
    state,
    hostname: join(state, "hostname"),
    hosts: join(state, "hosts"),
    resolvConf: join(state, "resolv.conf"),
    log: join(state, "container.log"),
    rootfs: join(folders.run, id, "rootfs"),
  };
}
