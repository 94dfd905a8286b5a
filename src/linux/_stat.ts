import { check, libc } from "./_libc.ts";
import {
  AT_SYMLINK_NOFOLLOW,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "./constants.ts";
import type { FileStat, FileType } from "./root-directory.ts";

const STATX_BASIC_STATS = 0x7ff;

/**
 * `struct statx` (`linux/stat.h`), the same on every architecture. Byte offsets of what we read:
 *
 *     16 nlink  20 uid  24 gid  28 mode(16)  32 ino(64)  40 size(64)  48 blocks(64)
 *     112 mtime.sec(64)  120 mtime.nsec  128 rdev major  132 rdev minor  136 dev major  140 dev minor
 */
const buffer = new Uint8Array(256);
const view = new DataView(buffer.buffer);

/** `statx(2)` of `name` in `directory`, not followed unless `flags` (`AT_*`) say otherwise. */
export function statAt(
  directory: number,
  name: string | Uint8Array,
  { shown, flags = AT_SYMLINK_NOFOLLOW }: { shown: string; flags?: number },
): FileStat {
  check(libc.statx(directory, name, flags, STATX_BASIC_STATS, buffer), "stat", shown);
  const mode = view.getUint16(28, true);
  return {
    type: fileType(mode),
    mode: mode & 0o7777,
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    size: Number(view.getBigUint64(40, true)),
    mtimeNs: view.getBigInt64(112, true) * 1_000_000_000n + BigInt(view.getUint32(120, true)),
    links: view.getUint32(16, true),
    inode: view.getBigUint64(32, true),
    blocks: Number(view.getBigUint64(48, true)),
    node: { major: view.getUint32(128, true), minor: view.getUint32(132, true) },
    device: { major: view.getUint32(136, true), minor: view.getUint32(140, true) },
  };
}

function fileType(mode: number): FileType {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return "file";
    case S_IFDIR:
      return "directory";
    case S_IFLNK:
      return "symlink";
    case S_IFCHR:
      return "character";
    case S_IFBLK:
      return "block";
    case S_IFIFO:
      return "fifo";
    default:
      return "socket";
  }
}
