import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { Digester } from "#oci/digest.ts";
import { decodeImageConfig, MAX_CONFIG_BYTES } from "#oci/image-config.ts";
import { decodeManifestDocument } from "#oci/manifest.ts";
import type { Platform } from "#oci/platform.ts";
import type { RegistryClient } from "./registry-client.ts";

/** What a registry has under a name, without its layers. */
export interface Inspected {
  readonly descriptor: Pick<Descriptor, "mediaType" | "digest" | "size">;
  /** Every platform it is for. */
  readonly platforms: readonly Platform[];
}

/** Reads a manifest or index, and of a manifest its config. @throws {EngineError} of the registry client */
export async function inspectRemote(
  client: Pick<RegistryClient, "manifest" | "blob">,
  { repository, reference }: { readonly repository: string; readonly reference: string },
  signal: AbortSignal,
): Promise<Inspected> {
  const { bytes, digest, mediaType } = await client.manifest(repository, reference, signal);
  const document = decodeManifestDocument(bytes, mediaType || undefined);
  const size = bytes.byteLength;
  if (document.kind === "index") {
    const { manifests, mediaType: type } = document.index;
    return {
      descriptor: { mediaType: type, digest, size },
      platforms: manifests.flatMap(({ platform }) => platform ?? []),
    };
  }
  const { config, mediaType: type } = document.manifest;
  const descriptor = { mediaType: type, digest, size };
  if (!/\.(?:image\.config|container\.image)\.v1\+json$/.test(config.mediaType))
    return { descriptor, platforms: [] };
  const { platform } = decodeImageConfig(await configBytes(client, repository, { config, signal }));
  return { descriptor, platforms: [platform] };
}

async function configBytes(
  client: Pick<RegistryClient, "blob">,
  repository: string,
  { config, signal }: { readonly config: Descriptor; readonly signal: AbortSignal },
): Promise<Uint8Array> {
  if (config.size > MAX_CONFIG_BYTES)
    throw new EngineError("invalid", `config ${config.digest} of ${config.size} bytes is too large`);
  const digester = new Digester(config.digest.startsWith("sha512:") ? "sha512" : "sha256");
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.blob(repository, config, 0, signal)) {
    digester.update(chunk);
    chunks.push(chunk);
  }
  const found = digester.digest();
  if (found !== config.digest)
    throw new EngineError(
      "corrupt",
      `Cannot read the config ${config.digest}: its bytes have digest ${found}`,
    );
  return Buffer.concat(chunks);
}
