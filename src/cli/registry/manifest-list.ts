import { EngineError } from "#base/errors.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { parseReference } from "#oci/reference.ts";
import type { LocalManifest } from "./local-manifest.ts";

export interface ManifestList {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/**
 * The document that names `manifests`: an OCI index when the first of them is OCI's, else Docker's list. Its bytes are
 * those that Docker's command line makes of the same images, so that its digest is the same.
 *
 * @throws {EngineError} invalid when an image is at another registry than `domain`
 */
export function manifestList(manifests: readonly LocalManifest[], domain: string): ManifestList {
  const entries = manifests.map(({ reference, mediaType, size, digest, platform }) => {
    const found = parseReference(reference).domain;
    if (found !== domain) {
      throw new EngineError(
        "invalid",
        `cannot use source images from a different registry than the target image: ${found} != ${domain}`,
      );
    }
    return { mediaType, size, digest, platform };
  });
  const isOci = manifests[0]?.mediaType === MEDIA_TYPE.ociManifest;
  const mediaType = isOci ? MEDIA_TYPE.ociIndex : MEDIA_TYPE.dockerIndex;
  const document = { schemaVersion: 2, mediaType, manifests: entries };
  return { mediaType, bytes: new TextEncoder().encode(JSON.stringify(document, null, 3)) };
}

/** The processors of each operating system that an image can be made for, in Go's words. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  darwin: "386 amd64 arm arm64",
  dragonfly: "amd64",
  freebsd: "386 amd64 arm arm64",
  linux: "386 amd64 arm arm64 loong64 mips64 mips64le ppc64le riscv64 s390x",
  netbsd: "386 amd64 arm",
  openbsd: "386 amd64 arm",
  plan9: "386 amd64",
  solaris: "amd64",
  windows: "386 amd64 arm64",
};

export function isKnownPlatform({ os, architecture }: { os: string; architecture: string }): boolean {
  return ARCHITECTURES[os]?.split(" ").includes(architecture) ?? false;
}
