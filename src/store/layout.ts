import { join } from "node:path";

/*
 *   <root>/                         what must survive, 0700
 *     content/blobs/<algorithm>/<hex>   every blob, read-only once named
 *     content/ingest/                   half-written blobs
 *     snapshots/<key>/{diff,work}       overlayfs directories, <key> a number in base 36
 *     snapshots/trash/                  what was removed and is deleted later
 *     volumes/<name>/_data
 *     containers/<id>/                  files of a container that must survive
 *     builds/                           contexts and steps of builds under way
 *     darse.db
 *
 *   <run>/                          what dies with the machine, 0700
 *     darse.sock  darse.pid
 *     netns/<id>
 *     containers/<id>/                  bundle, with the merged view at rootfs/
 *     exits/<id>
 */

/** Where everything of one engine lies: `root` survives a reboot, `run` need not. All paths are absolute. */
export interface Layout {
  readonly root: string;
  readonly run: string;
  readonly content: string;
  readonly snapshots: string;
  readonly volumes: string;
  readonly containers: string;
  readonly builds: string;
  readonly database: string;
  readonly socket: string;
  readonly pidFile: string;
  readonly networkNamespaces: string;
  readonly runContainers: string;
  readonly exits: string;
}

/** The folders of an engine, 0700 each: a second user can neither list nor reach anything below. */
export function layout(root: string, run: string): Layout {
  return {
    root,
    run,
    content: join(root, "content"),
    snapshots: join(root, "snapshots"),
    volumes: join(root, "volumes"),
    containers: join(root, "containers"),
    builds: join(root, "builds"),
    database: join(root, "darse.db"),
    socket: join(run, "darse.sock"),
    pidFile: join(run, "darse.pid"),
    networkNamespaces: join(run, "netns"),
    runContainers: join(run, "containers"),
    exits: join(run, "exits"),
  };
}

/** The mode of every folder that is ours alone. */
export const PRIVATE_MODE = 0o700;
