import { readFileSync, type Stats, statSync } from "node:fs";
import { check, libc } from "./_libc.ts";
import { isErrno } from "#base/errors.ts";
import { closeFd, writeFd } from "./file-descriptor.ts";

const MFD_CLOEXEC = 0x1;
const MFD_ALLOW_SEALING = 0x2;
/** Linux 6.3; older kernels refuse the flag and need none. */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** No more seals, no other size, no other bytes: F_SEAL_SEAL, SHRINK, GROW, WRITE. */
const ALL_SEALS = 0xf;

/**
 * A program's file copied into memory that nobody can change any more (memfd_create(2), fcntl(2) "File Sealing").
 * An OCI runtime must not be run from a file that a container could reach through `/proc/<pid>/exe` and write to
 * (CVE-2019-5736); one that finds itself elsewhere makes such a copy at each start and starts a second time from it.
 * It is spared that when the engine hands it the copy. An upgraded program is copied anew.
 */
export class SealedProgram implements Disposable {
  readonly #source: string;
  #stamp = "";
  #fd: number | undefined;

  constructor(source: string) {
    this.#source = source;
  }

  /** Where the copy can be run from as long as we live; the file itself where the host allows no such memory. */
  get path(): string {
    const stat = statSync(this.#source, { throwIfNoEntry: false });
    // Whoever runs it says that it is missing.
    if (stat === undefined) return this.#source;
    const stamp = stampOf(stat);
    if (stamp !== this.#stamp) {
      this[Symbol.dispose]();
      this.#fd = sealedCopy(this.#source);
      this.#stamp = stamp;
    }
    return this.#fd === undefined ? this.#source : `/proc/${process.pid}/fd/${this.#fd}`;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeFd(this.#fd);
    this.#fd = undefined;
    this.#stamp = "";
  }
}

function stampOf({ dev, ino, size, mtimeMs, ctimeMs }: Stats): string {
  return [dev, ino, size, mtimeMs, ctimeMs].join(" ");
}

/** `undefined` where the kernel has no memory that may be run (sysctl vm.memfd_noexec). */
function sealedCopy(path: string): number | undefined {
  const fd = executableMemory();
  if (fd === undefined) return undefined;
  try {
    writeFd(fd, readFileSync(path));
    check(libc.fchmod(fd, 0o500), "fchmod", path);
    check(libc.fcntl(fd, F_ADD_SEALS, ALL_SEALS), "fcntl", path);
    return fd;
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function executableMemory(): number | undefined {
  const plain = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  for (const flags of [plain | MFD_EXEC, plain]) {
    try {
      return check(libc.memfd_create("darse-program", flags), "memfd_create");
    } catch (error) {
      if (!isErrno(error, "EINVAL", "EACCES", "ENOSYS")) throw error;
    }
  }
  return undefined;
}
