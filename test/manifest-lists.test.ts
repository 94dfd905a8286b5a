import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { digestOf } from "../src/oci/digest.ts";
import { MEDIA_TYPE } from "../src/oci/media-types.ts";
import { DARSE, DOCKER, type Output, run } from "./engine.ts";
import { type DockerRegistry, startDockerRegistry } from "./fixtures/docker-registry.ts";
import { needs } from "./needs.ts";

// Lists put together by the unmodified docker command line and by ours, of the same images at one real registry.

const listing = needs("docker-registry", "docker-cli");

let registry: DockerRegistry;
let folder: string;

beforeAll(async () => {
  registry = await startDockerRegistry();
  folder = mkdtempSync(join(tmpdir(), "darse-manifests-"));
  for (const family of ["oci", "docker"] as const) {
    for (const architecture of ["amd64", "arm64"]) {
      await registry.push(`team/${family}`, image(family, architecture), architecture);
    }
  }
});

afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

function image(family: "oci" | "docker", architecture: string): Parameters<DockerRegistry["push"]>[1] {
  const layer = Buffer.from(`a layer for ${architecture}`);
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture, rootfs: { type: "layers" } }));
  const types =
    family === "oci"
      ? [MEDIA_TYPE.ociManifest, MEDIA_TYPE.ociConfig, MEDIA_TYPE.ociLayerGzip]
      : [MEDIA_TYPE.dockerManifest, MEDIA_TYPE.dockerConfig, MEDIA_TYPE.dockerLayerGzip];
  const [mediaType = "", configType = "", layerType = ""] = types;
  const blob = (type: string, bytes: Buffer): object => ({
    mediaType: type,
    size: bytes.length,
    digest: digestOf(bytes),
  });
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: blob(configType, config),
    layers: [blob(layerType, layer)],
  };
  return { blobs: [layer, config], manifest: Buffer.from(JSON.stringify(manifest)), mediaType };
}

/** Each has settings of its own, so that neither finds what the other kept. */
function client(name: "docker" | "darse"): (...args: readonly string[]) => Promise<Output> {
  const program = name === "docker" ? DOCKER : DARSE;
  const env = { DOCKER_CONFIG: join(folder, name), DOCKER_HOST: "unix:///nonexistent" };
  return (...args) => run(program, ["manifest", ...args], { env });
}

for (const family of ["oci", "docker"]) {
  listing(`a list of ${family} images is the same, made by either, to the digest`, async () => {
    const pushed: string[] = [];
    for (const name of ["docker", "darse"] as const) {
      const call = client(name);
      const source = `${registry.host}/team/${family}`;
      const list = `${source}:all`;
      const created = await call("create", "--insecure", list, `${source}:amd64`, `${source}:arm64`);
      expect(created).toEqual({ code: 0, stdout: `Created manifest list ${list}\n`, stderr: "" });
      const annotated = await call(
        "annotate",
        "--variant",
        "v8",
        "--os-features",
        "a,b",
        list,
        `${source}:arm64`,
      );
      expect(annotated).toEqual({ code: 0, stdout: "", stderr: "" });
      const again = await call("create", "--insecure", list, `${source}:amd64`);
      expect(again.stderr).toBe("refusing to amend an existing manifest list with no --amend flag\n");
      const { stdout } = await call("push", "--insecure", "--purge", list);
      const remote = await call("inspect", "--insecure", list);
      const verbose = await call("inspect", "--insecure", "-v", list);
      const one = await call("inspect", "--insecure", `${source}:arm64`);
      const whole = await call("inspect", "--insecure", "--verbose", `${source}:arm64`);
      pushed.push([stdout, remote.stdout, verbose.stdout, one.stdout, whole.stdout].join("---\n"));
      expect(await call("rm", list)).toMatchObject({ code: 1, stderr: `No such manifest: ${list}\n` });
    }
    expect(pushed[1]).toBe(pushed[0] ?? "");
    expect(pushed[1]).toMatch(/^sha256:[0-9a-f]{64}\n---\n\{\n {3}"schemaVersion": 2,/);
  });
}

listing("images of another repository are brought along", async () => {
  const call = client("darse");
  const list = `${registry.host}/other/all:1`;
  await call("create", list, `${registry.host}/team/oci:amd64`, `${registry.host}/team/oci:arm64`);
  const { code, stdout, stderr } = await call("push", list);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout.match(/^Pushed ref .*\/other\/all@sha256:/gm)).toHaveLength(2);
  const inspected = await client("docker")("inspect", "--insecure", "-v", list);
  expect(inspected.stdout.match(/"architecture": "(amd64|arm64)"/g)).toHaveLength(2);
});

listing("each command line goes on with the list that the other began", async () => {
  const env = { DOCKER_CONFIG: join(folder, "shared") };
  const source = `${registry.host}/team/docker`;
  const list = `${source}:shared`;
  const call = (program: string, ...args: readonly string[]): Promise<Output> =>
    run(program, ["manifest", ...args], { env });
  await call(DOCKER, "create", "--insecure", list, `${source}:amd64`);
  await call(DARSE, "create", "--amend", list, `${source}:arm64`);
  await call(DOCKER, "annotate", "--os-version", "1", list, `${source}:arm64`);
  const ours = await call(DARSE, "inspect", list);
  const theirs = await call(DOCKER, "inspect", list);
  expect(ours.stdout).toBe(theirs.stdout);
  expect(ours.stdout).toContain('"os.version": "1"');
  expect(await call(DARSE, "rm", list)).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(existsSync(join(folder, "shared/manifests", list.replaceAll(":", "-").replaceAll("/", "_")))).toBe(
    false,
  );
});

const refused: [string, string[], RegExp][] = [
  ["a list in a list", ["create", "LIST", "HOST/team/oci:all"], /team\/oci:all is a manifest list\n$/],
  ["what is not there", ["inspect", "HOST/team/none:1"], /^no such manifest: .*\/team\/none:1\n/],
  ["a local list that is not there", ["push", "HOST/none:1"], /^No such manifest: .*\/none:1\n$/],
  [
    "an image that is not in the list",
    ["annotate", "HOST/none:1", "HOST/x:1"],
    /^manifest for image .*\/x:1 does not exist in .*\/none:1\n$/,
  ],
];
for (const [what, args, message] of refused) {
  listing(`${what} is refused by its name`, async () => {
    const words = args.map((word) =>
      word.replace("HOST", registry.host).replace("LIST", `${registry.host}/l:1`),
    );
    const { code, stderr } = await client("darse")(...words);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });
}
