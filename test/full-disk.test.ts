import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { FIXTURES, run, TestEngine } from "./engine.ts";

/** An engine whose root lies on a small disk of its own. */
async function cramped(): Promise<TestEngine> {
  const engine = await TestEngine.start(async ({ root }) => {
    mkdirSync(root);
    await run("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", root]);
  });
  return engine;
}

test("a full disk is said, leaves nothing half made, and stops no container from ending", async () => {
  const engine = await cramped();
  const folder = (...path: string[]): string[] => readdirSync(join(engine.root, ...path));
  try {
    const blobs = folder("content/blobs/sha256");
    const tooBig = await engine.darse(["import", join(FIXTURES, "debian.tar"), "debian:latest"]);
    expect(tooBig.code).toBe(1);
    expect(tooBig.stderr).toMatch(/the disk is full\n.*free space/);
    expect(folder("content/ingest")).toEqual([]);
    expect(folder("content/blobs/sha256")).toEqual(blobs);

    const filling = await engine.darse([
      "run",
      "--rm",
      "busybox",
      "dd",
      "if=/dev/zero",
      "of=/x",
      "bs=1M",
      "count=50",
    ]);
    expect(filling).toMatchObject({ code: 1 });
    expect(filling.stderr).toContain("No space left on device");

    const built = await engine.darse(["build", "-t", "big", "-"], {
      input: "FROM busybox\nRUN dd if=/dev/zero of=/x bs=1M count=50\n",
    });
    expect(built.code).not.toBe(0);
    expect((await engine.darse(["images", "-q", "big"])).stdout).toBe("");
    expect((await engine.darse(["ps", "-aq"])).stdout).toBe("");
    expect((await engine.darse(["run", "--rm", "busybox", "echo", "goes on"])).stdout).toBe("goes on\n");
  } finally {
    await engine.removeAll();
    await engine.stopDaemon("SIGTERM");
    expect((await run("umount", [engine.root])).stderr).toBe("");
    await engine.forget();
  }
}, 120_000);
