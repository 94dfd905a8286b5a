import { O_NONBLOCK, O_RDONLY, S_IFBLK, S_IFCHR, S_IFIFO, S_IFSOCK } from "#linux/constants.ts";
import { closeFd, copyInKernel, readFd, writeFd } from "#linux/file-descriptor.ts";
import type { FileStat, RootDirectory } from "#linux/root-directory.ts";
import { isStoredXattr, setXattrIfPossible } from "./stored-xattrs.ts";

const COPY_BYTES = 256 * 1024;

/** From where to where, each a path in its own root. */
export interface CopyPaths {
  readonly from: string;
  readonly to: string;
}

/** Copies one file, symlink, device or directory (without what lies in it), attributes and all. `to` must not exist. */
export function copyNode(source: RootDirectory, target: RootDirectory, { from, to }: CopyPaths): void {
  const stat = source.stat(from);
  switch (stat.type) {
    case "file":
      copyContent(source, target, { from, to });
      break;
    case "directory":
      target.mkdir(to, 0o700);
      break;
    case "symlink":
      target.symlink(source.readlink(from), to);
      break;
    case "fifo":
      target.mknod(to, S_IFIFO, stat.node);
      break;
    case "socket":
      target.mknod(to, S_IFSOCK, stat.node);
      break;
    case "character":
      target.mknod(to, S_IFCHR, stat.node);
      break;
    case "block":
      target.mknod(to, S_IFBLK, stat.node);
      break;
  }
  applyAttributes(source, target, { from, to, stat });
}

/** Gives `to`, which exists, the owner, mode, attributes and times of `from`. */
export function copyAttributes(source: RootDirectory, target: RootDirectory, { from, to }: CopyPaths): void {
  applyAttributes(source, target, { from, to, stat: source.stat(from) });
}

function applyAttributes(
  source: RootDirectory,
  target: RootDirectory,
  { from, to, stat }: CopyPaths & { stat: FileStat },
): void {
  target.chown(to, stat.uid, stat.gid);
  if (stat.type !== "symlink") target.chmod(to, stat.mode);
  for (const name of source.listXattrs(from).filter(isStoredXattr)) {
    const value = source.getXattr(from, name);
    if (value !== undefined) setXattrIfPossible(() => target.setXattr(to, name, value));
  }
  target.utimes(to, stat.mtimeNs);
}

function copyContent(source: RootDirectory, target: RootDirectory, { from, to }: CopyPaths): void {
  const buffer = new Uint8Array(COPY_BYTES);
  // Not to wait for a writer, should the file have become a FIFO meanwhile.
  const input = source.open(from, O_RDONLY | O_NONBLOCK);
  try {
    const output = target.createFile(to, 0o600);
    try {
      if (copyInKernel(input, output) === "shared") return;
      for (let length = readFd(input, buffer); length > 0; length = readFd(input, buffer)) {
        writeFd(output, buffer.subarray(0, length));
      }
    } finally {
      closeFd(output);
    }
  } finally {
    closeFd(input);
  }
}
