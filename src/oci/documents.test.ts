import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { chainIds, digestOf, parseDiffId, parseDigest } from "./digest.ts";
import { decodeImageConfig, encodeImageConfig, type ImageConfig } from "./image-config.ts";
import { decodeManifestDocument, encodeDocument, selectPlatform } from "./manifest.ts";
import { MEDIA_TYPE } from "./media-types.ts";
import { formatPlatform, normalize, parsePlatform, platformMatches } from "./platform.ts";

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const blob = (mediaType: string) => ({ mediaType, digest: digestOf("x"), size: 1 });

test("a digest has a known algorithm and as much lower-case hex as that makes", () => {
  expect<string>(parseDigest(digestOf("x"))).toBe(digestOf("x"));
  for (const text of [
    "",
    "sha256:",
    "sha256:AB",
    `md5:${"a".repeat(32)}`,
    `sha256:${"A".repeat(64)}`,
    "a".repeat(64),
    `sha256:${"a".repeat(64)}/..`,
  ]) {
    expect(() => parseDigest(text)).toThrow(EngineError);
  }
});

test("the chain ID of the lowest layer is its diff ID, and each next one hashes the chain so far", () => {
  const [a, b] = [parseDiffId(digestOf("a")), parseDiffId(digestOf("b"))];
  expect(chainIds([])).toEqual([]);
  expect(chainIds([a, b]).map(String)).toEqual([a, digestOf(`${a} ${b}`)]);
});

const platforms: [string, string][] = [
  ["linux/amd64", "linux/amd64"],
  ["linux/x86_64", "linux/amd64"],
  ["amd64", "linux/amd64"],
  ["linux/arm64/v8", "linux/arm64"],
  ["aarch64", "linux/arm64"],
  ["linux/arm", "linux/arm/v7"],
  ["linux/arm/v6", "linux/arm/v6"],
];

for (const [typed, want] of platforms) {
  test(`platform ${typed} is ${want}`, () => expect(formatPlatform(parsePlatform(typed))).toBe(want));
}

test("a platform of too many parts is refused", () => {
  expect(() => parsePlatform("a/b/c/d")).toThrow(EngineError);
  expect(() => parsePlatform("linux/")).toThrow(EngineError);
});

test("platforms match by their one spelling", () => {
  expect(
    platformMatches(
      { os: "linux", architecture: "arm64" },
      { os: "linux", architecture: "arm64", variant: "v8" },
    ),
  ).toBe(true);
  expect(
    platformMatches(
      { os: "linux", architecture: "arm" },
      { os: "linux", architecture: "arm", variant: "v6" },
    ),
  ).toBe(false);
  expect(normalize({ os: "linux", architecture: "amd64", variant: "v1" })).toEqual({
    os: "linux",
    architecture: "amd64",
  });
});

test("a manifest survives writing and reading", () => {
  const manifest = {
    mediaType: MEDIA_TYPE.ociManifest,
    config: blob(MEDIA_TYPE.ociConfig),
    layers: [blob(MEDIA_TYPE.ociLayer)],
  };
  expect(decodeManifestDocument(encodeDocument(manifest))).toEqual({ kind: "manifest", manifest });
});

const ambiguous: [string, unknown, string?][] = [
  ["manifest and index at once (CVE-2021-41190)", { config: blob("a"), layers: [], manifests: [] }],
  ["neither of them", { schemaVersion: 2 }],
  [
    "a document that calls itself other than it was sent",
    { mediaType: MEDIA_TYPE.ociIndex, manifests: [] },
    MEDIA_TYPE.dockerIndex,
  ],
  ["an index with a manifest's type", { mediaType: MEDIA_TYPE.ociManifest, manifests: [] }],
  ["layers that are no array", { config: blob("a"), layers: { length: 1 } }],
  ["a negative size", { config: { ...blob("a"), size: -1 }, layers: [] }],
  ["a digest that is none", { config: { ...blob("a"), digest: "sha256:../../etc" }, layers: [] }],
  ["too many layers", { config: blob("a"), layers: Array.from({ length: 5000 }, () => blob("a")) }],
  ["an array", []],
];

for (const [what, document, mediaType] of ambiguous) {
  test(`a manifest document is refused: ${what}`, () => {
    expect(() => decodeManifestDocument(bytes(document), mediaType)).toThrow(EngineError);
  });
}

test("a platform is chosen from an index, attestations passed over", () => {
  const entry = (architecture: string, os = "linux") => ({
    ...blob(MEDIA_TYPE.ociManifest),
    platform: { os, architecture },
  });
  const index = {
    mediaType: MEDIA_TYPE.ociIndex,
    manifests: [entry("unknown", "unknown"), entry("arm64"), entry("amd64")],
  };
  expect(selectPlatform(index, parsePlatform("linux/amd64"))?.platform?.architecture).toBe("amd64");
  expect(selectPlatform(index, parsePlatform("linux/s390x"))).toBeUndefined();
});

const image: ImageConfig = {
  created: "2026-01-01T00:00:00Z",
  author: "someone",
  platform: { os: "linux", architecture: "amd64" },
  config: {
    user: "1000:1000",
    exposedPorts: ["443/tcp", "80/tcp"],
    env: ["PATH=/bin", "A=1"],
    entrypoint: ["/init"],
    cmd: ["serve"],
    volumes: ["/data"],
    workingDir: "/srv",
    labels: new Map([["k", "v"]]),
    stopSignal: "SIGQUIT",
    healthcheck: { test: ["CMD", "true"], intervalNs: 1_000_000_000, retries: 2 },
    shell: ["/bin/bash", "-c"],
    onBuild: ["RUN true"],
  },
  diffIds: [parseDiffId(digestOf("a"))],
  history: [{ createdBy: "RUN a" }, { createdBy: "CMD", emptyLayer: true }],
};

test("an image config survives writing and reading", () => {
  expect(decodeImageConfig(encodeImageConfig(image))).toEqual(image);
});

test("an image config with hostile keys is only text (case 29)", () => {
  const text = `{"architecture":"amd64","os":"linux","config":{"Labels":{"__proto__":"x","constructor":"y"}},"rootfs":{"type":"layers","diff_ids":[]}}`;
  const decoded = decodeImageConfig(new TextEncoder().encode(text));
  expect([...(decoded.config.labels ?? [])]).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  expect(Object.hasOwn(Object.prototype, "x")).toBe(false);
});
