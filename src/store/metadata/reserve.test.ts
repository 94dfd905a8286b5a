import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { isErrno } from "#base/errors.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { needs } from "../../../test/needs.ts";
import { openDatabase } from "./database.ts";

/** A folder on a disk of its own, of `megabytes`. */
function smallDisk(megabytes: number): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "darse-disk-"));
  const kernel = openKernel();
  kernel.mount({ source: "tmpfs", target: path, type: "tmpfs", data: `size=${megabytes}m` });
  return {
    path,
    [Symbol.dispose]() {
      kernel.unmount(path);
      rmSync(path, { recursive: true });
    },
  };
}

function fill(folder: string): void {
  for (let size = 1 << 20, n = 0; size >= 512; size >>= 1) {
    try {
      for (;;) writeFileSync(join(folder, `fill-${n++}`), new Uint8Array(size));
    } catch (error) {
      if (!isErrno(error, "ENOSPC")) throw error;
    }
  }
}

needs("root")("records are still written when the disk is full", () => {
  using disk = smallDisk(8);
  using database = openDatabase(join(disk.path, "darse.db"));
  const table = database.documents("things");
  table.put("before", { text: "x".repeat(100_000) });
  fill(disk.path);
  for (let n = 0; n < 20; n++) table.put(`after-${n}`, { text: "y".repeat(10_000) });
  database.transaction(() => table.put("in-transaction", 1));
  expect(table.all()).toHaveLength(22);
});
