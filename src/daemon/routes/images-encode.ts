import type {
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageManifestSummary,
  ImageRunConfig,
  ImageSummary,
} from "#api/images.ts";
import type { ApiVersion } from "#api/version.ts";
import { rfc3339 } from "#base/clock.ts";
import { createdAtMs } from "#image/catalog.ts";
import type { HistoryStep } from "#image/history.ts";
import type { Image, ImageUser, ImageVariant, RemovedItem } from "#image/image.ts";
import { encodeExecutionConfig } from "#oci/image-config.ts";
import {
  familiarName,
  familiarReference,
  type NamedReference,
  parseReference,
  type Reference,
} from "#oci/reference.ts";
import type { ListedImage } from "./images-filters.ts";

/** What the wire says of an image beyond the image itself. */
export interface ImageFacts {
  readonly unpackedBytes: (image: Pick<Image, "config">) => number;
  readonly users: readonly ImageUser[];
  /** `undefined`: not asked for. */
  readonly sharedBytes?: number | undefined;
  readonly hasManifests: boolean;
  readonly version: ApiVersion;
}

export function encodeSummary({ image, references }: ListedImage, facts: ImageFacts): ImageSummary {
  const { version } = facts;
  const totalBytes = image.sizeBytes + presentUnpackedBytes(image, facts);
  const names = encodeNames(references, image);
  const isOldDangling = !version.atLeast(1, 43) && names.RepoTags.length === 0;
  return {
    Id: image.id,
    ParentId: "",
    ...names,
    ...(isOldDangling && { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] }),
    Created: Math.floor(createdAtMs(image) / 1000),
    Size: totalBytes,
    SharedSize: facts.sharedBytes ?? -1,
    ...(!version.atLeast(1, 44) && { VirtualSize: totalBytes }),
    Labels: image.config.config.labels ? Object.fromEntries(image.config.config.labels) : null,
    Containers: version.atLeast(1, 51) ? facts.users.length : -1,
    ...(facts.hasManifests && version.atLeast(1, 47) && { Manifests: encodeManifests(image, facts) }),
    ...(version.atLeast(1, 48) && { Descriptor: image.target }),
  };
}

export function encodeInspect(image: Image, facts: ImageFacts): ImageInspect {
  const { config } = image;
  const { version } = facts;
  const comment = config.history.at(-1)?.comment ?? "";
  const isOld = !version.atLeast(1, 52);
  return {
    Id: image.id,
    ...encodeNames(image.references, image),
    ...(isOld && { Parent: "", DockerVersion: "" }),
    ...((isOld || comment !== "") && { Comment: comment }),
    ...(config.created !== undefined && { Created: config.created }),
    ...((isOld || config.author) && { Author: config.author ?? "" }),
    Config: isOld
      ? { ...EMPTY_CONFIG, ...encodeExecutionConfig(config.config) }
      : encodeExecutionConfig(config.config),
    Architecture: config.platform.architecture,
    ...(config.platform.variant !== undefined && { Variant: config.platform.variant }),
    Os: config.platform.os,
    ...(config.platform["os.version"] !== undefined && { OsVersion: config.platform["os.version"] }),
    Size: image.sizeBytes,
    ...(!version.atLeast(1, 44) && { VirtualSize: image.sizeBytes }),
    ...(isOld && { GraphDriver: { Name: "overlayfs", Data: null } }),
    RootFS: { Type: "layers", ...(config.diffIds.length > 0 && { Layers: config.diffIds }) },
    Metadata: { LastTagTime: rfc3339(image.references.length > 0 ? image.taggedAt : undefined) },
    ...(version.atLeast(1, 48) && { Descriptor: image.target }),
    ...(facts.hasManifests && version.atLeast(1, 48) && { Manifests: encodeManifests(image, facts) }),
  };
}

/** What clients before 1.52 find where an image says nothing. */
const EMPTY_CONFIG: ImageRunConfig = {
  User: "",
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

export function encodeHistory(steps: readonly HistoryStep[]): ImageHistoryItem[] {
  return steps.map((step) => ({
    Id: step.id ?? "<missing>",
    Created: Math.floor(step.createdAt / 1000),
    CreatedBy: step.createdBy,
    Tags: step.tags.length === 0 ? null : step.tags,
    Size: step.sizeBytes,
    Comment: step.comment,
  }));
}

export function encodeRemoved(items: readonly RemovedItem[]): ImageDeleteItem[] {
  return items.map((item) => (item.kind === "untagged" ? { Untagged: item.name } : { Deleted: item.id }));
}

/**
 * `RepoTags` and `RepoDigests`: every repository with a name for the image has its digest too: the one that its registry
 * has it under, where a push or pull has told, else its own.
 */
function encodeNames(
  references: readonly Reference[],
  image: Image,
): { readonly RepoTags: string[]; readonly RepoDigests: string[] } {
  const names = references.map(parseReference);
  return {
    RepoTags: names.filter((name) => name.digest === undefined).map(familiarReference),
    RepoDigests: [...new Set(names.flatMap((name) => digestNames(name, names, image)))],
  };
}

function digestNames(name: NamedReference, names: readonly NamedReference[], image: Image): string[] {
  const repository = familiarName(name);
  const told = names.filter((other) => other.digest !== undefined && familiarName(other) === repository);
  return told.length > 0 ? told.map(familiarReference) : [`${repository}@${image.id}`];
}

function encodeManifests(image: Image, facts: ImageFacts): ImageManifestSummary[] {
  return image.variants.map((variant) => encodeVariant(image, variant, facts));
}

function encodeVariant(image: Image, variant: ImageVariant, facts: ImageFacts): ImageManifestSummary {
  const { descriptor } = variant;
  const common = { ID: descriptor.digest, Descriptor: descriptor };
  switch (variant.kind) {
    case "present": {
      const unpacked = facts.unpackedBytes(variant);
      const isUsed = descriptor.digest === image.manifestDigest;
      return {
        ...common,
        Available: true,
        Size: { Content: variant.sizeBytes, Total: variant.sizeBytes + unpacked },
        Kind: "image",
        ImageData: {
          Platform: variant.platform,
          Containers: isUsed ? facts.users.map((user) => user.containerId) : [],
          Size: { Unpacked: unpacked },
        },
      };
    }
    case "absent":
      return {
        ...common,
        Available: false,
        Size: { Content: 0, Total: 0 },
        Kind: "image",
        ImageData: {
          Platform: { os: "", architecture: "", ...descriptor.platform },
          Containers: [],
          Size: { Unpacked: 0 },
        },
      };
    case "attestation": {
      const bytes = variant.blobs.reduce((sum, blob) => sum + blob.size, 0);
      const about = descriptor.annotations?.["vnd.docker.reference.digest"] ?? "";
      return {
        ...common,
        Available: variant.blobs.length > 0,
        Size: { Content: bytes, Total: bytes },
        Kind: "attestation",
        AttestationData: { For: about },
      };
    }
  }
}

function presentUnpackedBytes(image: Image, facts: ImageFacts): number {
  return image.variants.reduce(
    (sum, variant) => sum + (variant.kind === "present" ? facts.unpackedBytes(variant) : 0),
    0,
  );
}
