import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { copyInKernel, openPipe, readFd } from "./file-descriptor.ts";

test("copyInKernel() copies a whole file, and leaves nothing to read after it", () => {
  const folder = mkdtempSync(join(tmpdir(), "darse-fd-"));
  const content = Buffer.alloc(3_000_001, "spam");
  writeFileSync(join(folder, "from"), content);
  const [from, to] = [openSync(join(folder, "from"), "r"), openSync(join(folder, "to"), "wx")];
  try {
    const how = copyInKernel(from, to);
    if (how === "copied") expect(readFd(from, new Uint8Array(10))).toBe(0);
    expect(readFileSync(join(folder, "to")).equals(content)).toBe(true);
  } finally {
    closeSync(from);
    closeSync(to);
    rmSync(folder, { recursive: true });
  }
});

test("copyInKernel() leaves to the caller what the kernel does not copy", () => {
  const { readEnd, writeEnd } = openPipe();
  try {
    expect(copyInKernel(readEnd, writeEnd)).toBe("copied");
  } finally {
    closeSync(readEnd);
    closeSync(writeEnd);
  }
});
