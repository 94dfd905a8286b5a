import { mkdirSync, mkdtempDisposableSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { closeFd, writeFd } from "../file-descriptor.ts";
import { openRoot } from "../in-root.ts";
import type { RootDirectory } from "../root-directory.ts";

/** A host folder that holds a canary beside the root, and every kind of way out of the root. */
export interface Place extends Disposable {
  readonly host: string;
  readonly root: RootDirectory;
}

export function place(): Place {
  const folder = mkdtempDisposableSync("/tmp/darse-in-root-");
  const host = folder.path;
  mkdirSync(join(host, "outside"));
  writeFileSync(join(host, "outside/canary"), "alive", { mode: 0o644 });
  mkdirSync(join(host, "root/dir"), { recursive: true });
  writeFileSync(join(host, "root/dir/file"), "inside");
  symlinkSync(join(host, "outside"), join(host, "root/absolute"));
  symlinkSync("../outside", join(host, "root/relative"));
  symlinkSync("../../../../../../../../..", join(host, "root/up"));
  symlinkSync("/", join(host, "root/top"));
  symlinkSync("loop", join(host, "root/loop"));
  symlinkSync(join(host, "outside/canary"), join(host, "root/canary-link"));
  symlinkSync("dir", join(host, "root/dir-link"));
  const root = openRoot(join(host, "root"));
  return {
    host,
    root,
    [Symbol.dispose]() {
      root[Symbol.dispose]();
      folder.remove();
    },
  };
}

export function makeFile(root: RootDirectory, path: string, text = ""): void {
  const fd = root.createFile(path, 0o644);
  writeFd(fd, Buffer.from(text));
  closeFd(fd);
}

