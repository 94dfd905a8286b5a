import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { isErrno } from "#base/errors.ts";

/** Some hundred records' worth: enough to note how everything that runs on a full disk has ended. */
const RESERVE_BYTES = 2 * 1024 * 1024;

/**
 * Room kept back on the disk, beside the database, for the moment when it is full: what has happened must be written
 * down all the same.
 */
export class Reserve {
  readonly #path: string;
  #isLaid = false;

  constructor(path: string) {
    this.#path = path;
    this.#isLaid = statSync(path, { throwIfNoEntry: false })?.size === RESERVE_BYTES;
    this.renew();
  }

  /** Gives the room free; false when there is none. */
  spend(): boolean {
    if (!this.#isLaid) return false;
    rmSync(this.#path, { force: true });
    this.#isLaid = false;
    return true;
  }

  /** Keeps room back again when it was spent and there is plenty. Cheap: to be called after every write. */
  renew(): void {
    if (this.#isLaid || !this.#hasPlenty()) return;
    const fd = openSync(this.#path, "w", 0o600);
    try {
      this.#isLaid = writeSync(fd, new Uint8Array(RESERVE_BYTES)) === RESERVE_BYTES;
      fsyncSync(fd);
    } catch (error) {
      if (!isErrno(error, "ENOSPC", "EDQUOT")) throw error;
    } finally {
      closeSync(fd);
    }
    // half a reserve only takes room from others
    if (!this.#isLaid) rmSync(this.#path, { force: true });
  }

  #hasPlenty(): boolean {
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    return bavail * bsize > 2 * RESERVE_BYTES;
  }
}
