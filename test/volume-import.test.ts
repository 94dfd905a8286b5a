import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import { evilCorpus } from "../src/store/layer/_evil-corpus.ts";
import { TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

/** Everything that can be known of a tree, as text. */
function fingerprint(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const path = join(folder, name);
      const { mode, uid, gid, size, mtimeMs, nlink, ino } = lstatSync(path);
      const content = lstatSync(path).isFile() ? readFileSync(path, "utf8") : "";
      return [name, mode, uid, gid, size, mtimeMs, nlink, ino, content].join(" ");
    });
}

needs(
  "root",
  "overlay",
  "crun",
  "conmon",
  "nft",
  "busybox",
)(
  "case 1: no archive of the corpus that is imported into a volume changes anything outside it",
  async () => {
    await using engine = await TestEngine.start();
    const host = join(engine.folder, "host");
    mkdirSync(join(host, "folder"), { recursive: true });
    writeFileSync(join(host, "file"), "canary", { mode: 0o640 });
    writeFileSync(join(host, "folder/inner"), "canary");
    linkSync(join(host, "file"), join(host, "second-name"));
    symlinkSync("file", join(host, "soft"));
    const before = fingerprint(host);
    const archive = join(engine.folder, "evil.tar");
    const codes = new Set<number>();
    for (const { name, tar } of await evilCorpus(host)) {
      writeFileSync(archive, tar);
      const { code, stderr } = await engine.darse(["volume", "import", "--replace", "-i", archive, "victim"]);
      codes.add(code);
      expect([name, stderr]).toEqual([name, expect.not.stringContaining("internal")]);
      expect([name, fingerprint(host)]).toEqual([name, before]);
    }
    // Both happen, or the corpus no longer tests what it should.
    expect(codes).toEqual(new Set([0, 1]));
    await engine.darse(["volume", "rm", "victim"]);
  },
  120_000,
);
