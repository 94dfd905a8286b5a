import { readFileSync } from "node:fs";
import { check, cPath, libc } from "./_libc.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from "./constants.ts";
import { errnoNumber, SystemCallError } from "./errno.ts";
import { decodeName } from "#base/file-name.ts";
import type { MountOptions, Mounts } from "./kernel.ts";
import { parseMountInfo } from "./mountinfo.ts";

/** The kernel copies at most one page of mount data and cuts the rest off without a word. */
const MAX_DATA_BYTES = 4095;

export const realMounts: Mounts = {
  mount(options) {
    const { source, target, data, cwd } = options;
    cPath(source, "mount");
    cPath(target, "mount");
    if (data !== undefined && Buffer.byteLength(data) > MAX_DATA_BYTES) {
      throw new SystemCallError("mount", errnoNumber("E2BIG"), target);
    }
    if (cwd === undefined) mount(options);
    else inDirectory(cwd, () => mount(options));
  },

  unmount(target, flags = 0) {
    check(libc.umount2(cPath(target, "umount2"), flags), "umount2", target);
  },

  mounts() {
    return parseMountInfo(decodeName(readFileSync("/proc/self/mountinfo")));
  },
};

function mount({ source, target, type = "", flags = 0, data = "" }: MountOptions): void {
  check(libc.mount(source, target, type, flags, data), "mount", target);
}

/** The working directory is the process's, so no other JavaScript may run before it is set back. */
function inDirectory(path: string, work: () => void): void {
  const back = check(libc.open(".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0), "open", ".");
  try {
    check(libc.chdir(cPath(path, "chdir")), "chdir", path);
    try {
      work();
    } finally {
      check(libc.fchdir(back), "fchdir");
    }
  } finally {
    libc.close(back);
  }
}
