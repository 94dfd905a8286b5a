import { expect, test } from "bun:test";
import { NEWEST_API } from "#api/version.ts";
import { EngineError } from "#base/errors.ts";
import type { BuildRequest } from "#build/build-request.ts";
import type { BuildOutput } from "#build/builder.ts";
import { StepError } from "#build/executor/step-error.ts";
import type { Image } from "#image/image.ts";
import { type DiffId, digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { hostPlatform } from "#oci/platform.ts";
import type { Credentials } from "#registry/authorizer.ts";
import type { Reply, RouteRequest } from "../http/route.ts";
import { decodeBuildRequest } from "./build-decode.ts";
import { buildRoutes } from "./build.ts";

const ID = digestOf("image");
const DESCRIPTOR = { mediaType: MEDIA_TYPE.ociManifest, digest: ID, size: 1 };
const DIFF_IDS: DiffId[] = [];
const IMAGE: Image = {
  id: ID,
  target: DESCRIPTOR,
  references: [],
  manifest: { mediaType: MEDIA_TYPE.ociManifest, config: DESCRIPTOR, layers: [] },
  manifestDigest: ID,
  configDigest: ID,
  config: { platform: hostPlatform(), config: {}, diffIds: DIFF_IDS, history: [] },
  sizeBytes: 1,
  taggedAt: 0,
  variants: [],
};

function request(query: string, headers: Record<string, string> = {}): RouteRequest {
  return {
    method: "POST",
    path: "/build",
    apiVersion: NEWEST_API,
    query: new URLSearchParams(query),
    headers: new Map(Object.entries(headers)),
    signal: new AbortController().signal,
    param: () => "",
    json: () => Promise.resolve(undefined),
    body: nothing(),
    hijack: () => Promise.reject(new Error("a build does not hijack")),
  };
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

async function answer(
  query: string,
  work: (request: BuildRequest, output: BuildOutput) => Promise<Image>,
): Promise<{ reply: Reply; lines: unknown[] }> {
  const prune = () => Promise.resolve({ digests: [] });
  const [route] = buildRoutes({
    builder: { build: (decoded, output) => work(decoded, output), prune },
    collectGarbage: () => Promise.resolve({ reclaimedBytes: 0 }),
    clock: () => 0,
  });
  if (route === undefined) throw new Error("there is no route");
  const reply = await route.handle(request(query));
  let text = "";
  if (reply.kind === "stream") {
    await reply.write({ write: async (data) => void (text += typeof data === "string" ? data : "") });
  }
  return {
    reply,
    lines: text
      .split("\r\n")
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line)),
  };
}

const HEX = ID.slice("sha256:".length, "sha256:".length + 12);

test("a build streams its text, then the id and the names", async () => {
  const { reply, lines } = await answer("t=a&t=b:1&t=a", async (_, { write, pullProgress }) => {
    pullProgress({ kind: "status", status: "Pulling", id: "x", bytes: { current: 1, total: 2 } });
    await write("Step 1/1 : FROM a\n");
    return IMAGE;
  });
  expect(reply).toMatchObject({ status: 200, contentType: "application/json" });
  expect(lines).toEqual([
    { status: "Pulling", progressDetail: { current: 1, total: 2 }, id: "x" },
    { stream: "Step 1/1 : FROM a\n" },
    { aux: { ID } },
    { stream: `Successfully built ${HEX}\n` },
    { stream: "Successfully tagged a:latest\n" },
    { stream: "Successfully tagged b:1\n" },
  ]);
});

test("a quiet build tells the id alone", async () => {
  const { lines } = await answer("q=1", async (_, { write }) => {
    await write("Step\n");
    return IMAGE;
  });
  expect(lines).toEqual([{ aux: { ID } }, { stream: `${ID}\n` }]);
});

test("a quiet build that fails tells all, and why", async () => {
  const { lines } = await answer("q=1", async (_, { write }) => {
    await write("Step\n");
    throw new StepError(["x"], 3);
  }).catch((error: unknown) => ({ lines: [error] }));
  expect(lines).toEqual([new StepError(["x"], 3)]);
});

test("a failure before the first line is an answer of its own", async () => {
  const failing = answer("", () => Promise.reject(new EngineError("invalid", "no such instruction")));
  await expect(failing).rejects.toThrow("no such instruction");
});

test("a failure after the first line is the last one, with the code of the command", async () => {
  const { lines } = await answer("", async (_, { write }) => {
    await write("Step\n");
    throw new StepError(["/bin/sh", "-c", "exit 3"], 3);
  });
  const message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3";
  expect(lines).toEqual([{ stream: "Step\n" }, { errorDetail: { code: 3, message }, error: message }]);
});

test("a build that prints waits for its reader", async () => {
  let written = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const [route] = buildRoutes({
    builder: {
      build: async (_, { write }) => {
        for (; written < 50; written++) await write("x".repeat(100_000));
        return IMAGE;
      },
      prune: () => Promise.resolve({ digests: [] }),
    },
    collectGarbage: () => Promise.resolve({ reclaimedBytes: 0 }),
    clock: () => 0,
  });
  const reply = await route?.handle(request(""));
  if (reply?.kind !== "stream") throw new Error("it is no stream");
  const writing = reply.write({ write: () => promise });
  await Bun.sleep(5);
  expect(written).toBeLessThan(30);
  resolve();
  await writing;
  expect(written).toBe(50);
});

test("every parameter is read", () => {
  const query = new URLSearchParams({
    t: "name:tag",
    dockerfile: "sub/Dockerfile",
    target: "stage",
    buildargs: '{"A":"1","B":null,"__proto__":"2"}',
    labels: '{"l":"v"}',
    platform: "linux/arm64",
    nocache: "1",
    pull: "true",
    networkmode: "none",
    extrahosts: "a:1.2.3.4,b:::1",
    memory: "1000",
    memswap: "-1",
    cpushares: "2",
    cpuperiod: "3",
    cpuquota: "4",
    cpusetcpus: "0",
    cpusetmems: "0",
    shmsize: "5",
    cgroupparent: "/p",
    ulimits: '[{"Name":"nofile","Soft":1,"Hard":2}]',
    rm: "1",
    version: "1",
    cachefrom: '["x"]',
  });
  const config = Buffer.from(
    JSON.stringify({ "r:5000": { username: "u", password: "p" }, idp: { identitytoken: "t" }, none: {} }),
  ).toString("base64url");
  const { context: _context, ...decoded } = decodeBuildRequest(
    request(query.toString(), { "x-registry-config": config }),
  );
  expect(decoded).toEqual({
    tags: [expect.stringContaining("docker.io/library/name:tag")],
    dockerfile: "sub/Dockerfile",
    target: "stage",
    buildArgs: new Map([
      ["A", "1"],
      ["__proto__", "2"],
    ]),
    labels: new Map([["l", "v"]]),
    platform: { os: "linux", architecture: "arm64" },
    ignoresCache: true,
    pulls: true,
    network: { kind: "none" },
    extraHosts: ["a:1.2.3.4", "b:::1"],
    resources: {
      memoryBytes: 1000,
      memorySwapBytes: -1,
      cpuShares: 2,
      cpuPeriodUs: 3,
      cpuQuotaUs: 4,
      cpusetCpus: "0",
      cpusetMems: "0",
    },
    rlimits: [{ name: "nofile", soft: 1, hard: 2 }],
    shmBytes: 5,
    cgroupParent: "/p",
    credentials: new Map<string, Credentials>([
      ["r:5000", { kind: "password", username: "u", password: "p" }],
      ["idp", { kind: "identity-token", token: "t" }],
    ]),
  });
});

const refused: [string, string, string][] = [
  ["remote=https://x/y.git", "unsupported", 'Cannot build from "https://x/y.git"'],
  ["version=2", "unsupported", "Cannot build with BuildKit's protocol"],
  ["squash=1", "unsupported", "Cannot squash"],
  ['securityopt=["x"]', "invalid", "does not support setting security options on build"],
  ["networkmode=container:x", "unsupported", 'Cannot build on network "container:x"'],
  ["t=UPPER", "invalid", "must be lowercase"],
  [`t=a@${ID}`, "invalid", "build tag cannot contain a digest"],
  ["buildargs=[1]", "invalid", "buildargs"],
  ['buildargs={"a":1}', "invalid", "it must be a string"],
  ["memory=many", "invalid", "memory"],
  ["platform=a/b/c/d", "invalid", "Cannot parse platform"],
  ["isolation=hyperv", "invalid", "Unsupported isolation"],
];

for (const [query, kind, message] of refused) {
  test(`${query} is refused`, () => {
    expect(() => decodeBuildRequest(request(query))).toThrow(message);
    try {
      decodeBuildRequest(request(query));
    } catch (error) {
      expect(error).toMatchObject({ kind });
    }
  });
}
