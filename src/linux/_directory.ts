import { randomUUID } from "node:crypto";
import { check, lastErrno, libc, openat2 } from "./_libc.ts";
import {
  AT_REMOVEDIR,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_RDONLY,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import type { Located } from "./_parents.ts";

const SEEK_SET = 0;
const EISDIR = errnoNumber("EISDIR");
const ENOENT = errnoNumber("ENOENT");

const buffer = new Uint8Array(32768);
const view = new DataView(buffer.buffer);

/** Deeper directories are moved up to the top before they are emptied, so that neither stack nor fds run out. */
const MAX_DEPTH = 64;

/**
 * The names in an open directory, without `.` and `..`, each with its closing NUL. `struct linux_dirent64`: ino(64),
 * off(64), reclen(16), type(8), name.
 */
export function readNames(fd: number, shown: string): Uint8Array[] {
  const names: Uint8Array[] = [];
  check(libc.lseek(fd, 0, SEEK_SET), "lseek", shown);
  for (;;) {
    const size = check(libc.getdents64(fd, buffer, buffer.length), "getdents64", shown);
    if (size === 0) return names;
    for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
      const name = buffer.slice(at + 19, buffer.indexOf(0, at + 19) + 1);
      if (!isDots(name)) names.push(name);
    }
  }
}

/**
 * Removes what `located` names and all below it; nothing when absent. A mount below is never entered.
 * @throws {SystemCallError} EXDEV at a mount.
 */
export function removeTree({ fd, name }: Located, shown: string): void {
  if (unlinked(fd, name, shown)) return;
  const top = openDirectory(fd, name, shown);
  try {
    const removal = { top, shown, prefix: randomUUID(), hoisted: 0 };
    let before: number;
    do {
      before = removal.hoisted;
      empty(top, 0, removal);
    } while (removal.hoisted !== before);
  } finally {
    libc.close(top);
  }
  check(libc.unlinkat(fd, name, AT_REMOVEDIR), "rmdir", shown);
}

interface Removal {
  readonly top: number;
  readonly shown: string;
  /** A name that nobody can have taken beforehand. */
  readonly prefix: string;
  hoisted: number;
}

function empty(directory: number, depth: number, removal: Removal): void {
  const { shown } = removal;
  for (const name of readNames(directory, shown)) {
    if (unlinked(directory, name, shown)) continue;
    if (depth >= MAX_DEPTH) {
      removal.hoisted += 1;
      const target = `.${removal.prefix}-${removal.hoisted}`;
      check(libc.renameat(directory, name, removal.top, target), "rename", shown);
      continue;
    }
    const child = openDirectory(directory, name, shown);
    try {
      empty(child, depth + 1, removal);
    } finally {
      libc.close(child);
    }
    check(libc.unlinkat(directory, name, AT_REMOVEDIR), "rmdir", shown);
  }
}

/** True when `name` is gone; false when it is a directory. */
function unlinked(directory: number, name: string | Uint8Array, shown: string): boolean {
  if (libc.unlinkat(directory, name, 0) === 0) return true;
  const errno = lastErrno();
  if (errno === EISDIR) return false;
  if (errno === ENOENT) return true;
  throw new SystemCallError("unlink", errno, shown);
}

function openDirectory(directory: number, name: string | Uint8Array, shown: string): number {
  const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  const resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return check(openat2(directory, name, { flags, resolve }), "openat2", shown);
}

function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name[1] === 0 || (name[1] === DOT && name[2] === 0));
}

const DOT = 0x2e;
