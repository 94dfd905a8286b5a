import { expect, test } from "bun:test";
import type { ImageManifestSummary, ImageSummary } from "#api/images.ts";
import { imageTree } from "./image-tree.ts";

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

function manifest(
  letter: string,
  architecture: string,
  more: Partial<ImageManifestSummary> = {},
): ImageManifestSummary {
  return {
    ID: digest(letter),
    Descriptor: { mediaType: "m", digest: digest(letter), size: 1 },
    Available: true,
    Size: { Total: 13_561_000, Content: 4_090_000 },
    Kind: "image",
    ImageData: { Platform: { os: "linux", architecture }, Containers: [], Size: { Unpacked: 1 } },
    ...more,
  };
}

const image: ImageSummary = {
  Id: digest("a"),
  ParentId: "",
  RepoTags: ["alpine:latest", "alpine:3"],
  RepoDigests: [],
  Created: 0,
  Size: 13_561_000,
  SharedSize: -1,
  Labels: null,
  Containers: 1,
  Manifests: [
    manifest("b", "amd64"),
    manifest("d", "arm64", { Size: { Total: 0, Content: 0 } }),
    manifest("e", "x", { Kind: "attestation", ImageData: undefined, Size: { Total: 9, Content: 9 } }),
  ],
};

test("each image has its platforms below it; those without a name come last", () => {
  const nameless = { ...image, Id: digest("c"), RepoTags: [], Manifests: [], Containers: 0 };
  expect(
    imageTree([nameless, image], undefined),
  ).toBe(`IMAGE                ID             DISK USAGE   CONTENT SIZE   EXTRA
alpine:3
alpine:latest        aaaaaaaaaaaa       13.6MB         4.09MB   U    
├─ linux/amd64       bbbbbbbbbbbb       13.6MB         4.09MB        
└─ linux/arm64       dddddddddddd           0B             0B        

<untagged>           cccccccccccc       13.6MB             0B        

`);
});

test("a narrow screen loses columns, and a long name has its own line", () => {
  const long = { ...image, RepoTags: ["a".repeat(40)], Manifests: [] };
  expect(imageTree([long], 45)).toBe(`                            Info ->  U In Use
IMAGE               ID             DISK USAGE
${"a".repeat(40)}
${" ".repeat(17)}   aaaaaaaaaaaa       13.6MB
`);
});
