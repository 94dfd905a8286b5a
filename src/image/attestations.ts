import { parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { formatPlatform, type Platform } from "#oci/platform.ts";
import type { Image } from "./image.ts";
import { variantFor } from "./read-image.ts";
import type { Content } from "./stores.ts";

/** What somebody states about an image: how it was made, what is in it. in-toto attestation framework. */
export interface Attestation {
  readonly descriptor: Descriptor;
  readonly predicateType: string;
  /** The statement as it was written, when it was asked for. */
  readonly statement?: unknown;
}

export interface AttestationQuery {
  readonly platform: Platform;
  /** Predicate types; all when empty. */
  readonly types: readonly string[];
  readonly wantsStatement: boolean;
}

const MAX_STATEMENT_BYTES = 16 * 1024 * 1024;

/**
 * The statements that lie beside an image, as far as they are here. BuildKit, docs/attestations/attestation-storage.md.
 *
 * @throws {EngineError} not-found when the image has nothing for the platform; corrupt or invalid for a broken statement
 */
export async function attestationsOf(
  image: Image,
  { platform, types, wantsStatement }: AttestationQuery,
  content: Pick<Content, "readBytes">,
): Promise<Attestation[]> {
  const subject = variantFor(image.variants, platform);
  if (!subject) {
    throw new EngineError(
      "not-found",
      `Cannot read attestations: image ${image.id} has no manifest for ${formatPlatform(platform)} here`,
    );
  }
  const found: Attestation[] = [];
  for (const descriptor of statementsAbout(subject.descriptor, image)) {
    const predicateType = descriptor.annotations?.["in-toto.io/predicate-type"];
    if (predicateType === undefined || (types.length > 0 && !types.includes(predicateType))) continue;
    if (!wantsStatement) found.push({ descriptor, predicateType });
    else {
      const bytes = await content.readBytes(descriptor.digest, MAX_STATEMENT_BYTES);
      const statement = parseJson(new TextDecoder().decode(bytes), `attestation ${descriptor.digest}`);
      found.push({ descriptor, predicateType, statement });
    }
  }
  return found;
}

function statementsAbout(subject: Descriptor, image: Image): Descriptor[] {
  return image.variants.flatMap((variant) =>
    variant.kind === "attestation" &&
    variant.descriptor.annotations?.["vnd.docker.reference.digest"] === subject.digest
      ? variant.blobs.filter(({ mediaType }) => mediaType === "application/vnd.in-toto+json")
      : [],
  );
}
