import type { RootDirectory } from "#linux/root-directory.ts";
import { walkTree } from "../layer/tree-entries.ts";
import { type AskedPath, locate } from "./path-in-root.ts";
import { TarOutput } from "./tar-output.ts";

/**
 * Writes what `asked` means as a tar, a directory with all it holds. The first entry has the path's last name, the others
 * lie below it; of the root, names begin with a slash, as clients of Docker expect (daemon/archive_unix.go).
 */
export function packPath(root: RootDirectory, asked: AskedPath, fd: number): void {
  const { path } = locate(root, asked);
  const base = asked.base === "/" ? "" : asked.base;
  const output = new TarOutput(root, fd);
  for (const file of walkTree(root, path)) {
    const below = path === "" && file.path !== "" ? `/${file.path}` : file.path.slice(path.length);
    output.add(file, base + below);
  }
  output.finish();
}

/** Writes all the files of a root as a tar, without the root itself. */
export function packRoot(root: RootDirectory, fd: number): void {
  const output = new TarOutput(root, fd);
  for (const file of walkTree(root)) if (file.path !== "") output.add(file, file.path);
  output.finish();
}
