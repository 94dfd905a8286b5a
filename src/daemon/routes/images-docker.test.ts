import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "bun:test";
import { silentLogger } from "#base/log.ts";
import { run } from "#linux/process.ts";
import { needs } from "../../../test/needs.ts";
import { dockerArchive, sampleImage, tarOf } from "../../image/_fixtures/archives.ts";
import { openImages } from "../../image/_fixtures/open-images.ts";
import { ApiServer } from "../http/api-server.ts";
import type { Route } from "../http/route.ts";
import { imageRoutes } from "./images.ts";

const PING: Route = {
  method: "HEAD",
  path: "/_ping",
  handle: async () => ({ kind: "text", status: 200, body: "", contentType: "text/plain" }),
};

needs("docker-cli")(
  "the docker command loads, lists, tags, saves, imports and removes images",
  async () => {
    await using store = await openImages();
    const folder = mkdtempSync(join(tmpdir(), "darse-docker-"));
    await using _folder = { [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) };
    const unix = join(folder, "socket");
    const routes = imageRoutes({ images: store.images, usersOf: () => [], clock: Date.now });
    await using server = new ApiServer([PING, ...routes], silentLogger);
    await server.listen(unix);
    const docker = async (...args: string[]): Promise<string> => {
      const { stdout, stderr } = await run(["docker", "-H", `unix://${unix}`, ...args], {
        env: { ...process.env, HOME: folder, DOCKER_CONFIG: folder },
      });
      return new TextDecoder().decode(stdout) + stderr;
    };
    const archive = join(folder, "app.tar");
    writeFileSync(archive, await tarOf(dockerArchive(await sampleImage([{ a: "1" }]), ["app:1"])));

    expect(await docker("load", "-i", archive)).toBe("Loaded image: app:1\n");
    expect(await docker("load", "-i", join(folder, "none.tar"))).toContain("no such file");
    expect(await docker("tag", "app:1", "app:2")).toBe("");
    expect(await docker("images", "--format", "{{.Repository}}:{{.Tag}}")).toBe("app:1\napp:2\n");
    expect(await docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", "app:1")).toBe("step 0\n");
    const saved = join(folder, "saved.tar");
    await docker("save", "-o", saved, "app:1", "app:2");
    expect(readFileSync(saved).includes("oci-layout")).toBe(true);
    expect(await docker("rmi", "app:1", "app:2")).toMatch(
      /^Untagged: app:1\nUntagged: app:2\nDeleted: sha256:/,
    );
    expect(await docker("load", "-i", saved)).toBe("Loaded image: app:1\nLoaded image: app:2\n");
    expect(await docker("import", "-m", "why", archive, "made:1")).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect(await docker("rmi", "nope")).toContain("No such image: nope:latest");
    expect(await docker("image", "prune", "-af")).toContain("untagged: made:1");
  },
  60_000,
);
