import type { RootDirectory } from "#linux/root-directory.ts";
import type { TreeFile } from "./tree-entries.ts";

/** Files that are there to be mounted upon, and the mark that this is a container. */
const EMPTY_FILES: ReadonlySet<string> = new Set([
  ".dockerenv",
  "dev/console",
  "etc/hostname",
  "etc/hosts",
  "etc/resolv.conf",
]);
const EMPTY_DIRECTORIES: ReadonlySet<string> = new Set(["dev/pts", "dev/shm", "proc", "sys"]);
const HOLDERS: ReadonlySet<string> = new Set(["dev", "etc"]);
const PLAIN_MODE = 0o755;

/**
 * Whether a file of a container's layer is what the engine itself puts into every container, as it was made: it is no
 * change of the container's, and belongs in no image. Docker keeps these in a layer of their own (daemon/initlayer).
 */
export function isFurniture(root: RootDirectory, { path, stat }: TreeFile): boolean {
  if (EMPTY_FILES.has(path)) return stat.type === "file" && stat.size === 0;
  if (path === "etc/mtab") return stat.type === "symlink" && root.readlink(path) === "/proc/mounts";
  if (EMPTY_DIRECTORIES.has(path)) return stat.type === "directory" && root.readdir(path).length === 0;
  if (!HOLDERS.has(path) || stat.type !== "directory") return false;
  if (stat.mode !== PLAIN_MODE || stat.uid !== 0 || stat.gid !== 0) return false;
  return root.readdir(path).every((name) => {
    const inside = root.find(`${path}/${name}`);
    return inside !== undefined && isFurniture(root, { path: `${path}/${name}`, stat: inside });
  });
}
