import type { Descriptor } from "#oci/descriptor.ts";
import type { Digest } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Manifest } from "#oci/manifest.ts";
import type { Platform } from "#oci/platform.ts";
import type { Reference } from "#oci/reference.ts";

/** An image of the store. `manifest` and what follows it are those of one platform: the one asked for, or the best. */
export interface Image {
  /** What people see as its id: the digest of what its references point at, a manifest or an index. */
  readonly id: Digest;
  readonly target: Descriptor;
  /** Every name it has; empty when dangling. */
  readonly references: readonly Reference[];
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly configDigest: Digest;
  readonly config: ImageConfig;
  /** All its blobs that are here, of every platform. */
  readonly sizeBytes: number;
  /** When a reference to it was last set, epoch milliseconds. */
  readonly taggedAt: number;
  /** What its target holds, in the order of the index. */
  readonly variants: readonly ImageVariant[];
}

/** One entry of an image's index; a target that is a manifest is its own only entry. */
export type ImageVariant = PresentVariant | AbsentVariant | AttestationVariant;

/** An image for one platform whose manifest, config and layers are all here. */
export interface PresentVariant {
  readonly kind: "present";
  readonly descriptor: Descriptor;
  readonly platform: Platform;
  readonly manifest: Manifest;
  readonly config: ImageConfig;
  /** Manifest, config and layers together. */
  readonly sizeBytes: number;
}

/** An image for a platform that was not fetched, or not all of it. */
export interface AbsentVariant {
  readonly kind: "absent";
  readonly descriptor: Descriptor;
}

/** What BuildKit says about the making of another entry. */
export interface AttestationVariant {
  readonly kind: "attestation";
  readonly descriptor: Descriptor;
  /** Its manifest and what that names, as far as they are here. */
  readonly blobs: readonly Descriptor[];
}

/** What an image's target says, without the names that point at it. */
export interface ImageContent {
  readonly target: Descriptor;
  readonly variants: readonly ImageVariant[];
  readonly sizeBytes: number;
}

/** A container that was made from an image, as `remove` and `prune` ask about it. */
export interface ImageUser {
  readonly containerId: string;
  readonly isRunning: boolean;
}

/** The containers of an image, by its id. */
export type UsersOf = (id: Digest) => readonly ImageUser[];

/** One step of a removal, in order. */
export type RemovedItem =
  | { readonly kind: "untagged"; readonly name: string }
  | { readonly kind: "deleted"; readonly id: Digest };

/** A line of what pull, push, load and import are doing, in Docker's words. */
export type ProgressLine =
  /** What came of it, for programs. */
  | { readonly kind: "aux"; readonly value: unknown }
  | { readonly kind: "stream"; readonly text: string }
  | {
      readonly kind: "status";
      readonly status: string;
      /** The layer (or tag) the line is about. */
      readonly id?: string;
      readonly bytes?: { readonly current: number; readonly total: number };
    };

export type Progress = (line: ProgressLine) => void;
