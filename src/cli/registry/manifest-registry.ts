import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import { digesterFor } from "#oci/digest.ts";
import { decodeManifestDocument, type Index, type Manifest } from "#oci/manifest.ts";
import type { NamedReference } from "#oci/reference.ts";
import { RegistryClient } from "#registry/registry-client.ts";
import { credentialsOf } from "../config/auth-headers.ts";
import { keyOfDomain } from "../config/registry-key.ts";
import type { Context } from "../context.ts";
import { decodeListPlatform, type ListPlatform, listPlatform, type LocalManifest } from "./local-manifest.ts";
import type { ManifestList } from "./manifest-list.ts";
import { asCredentials, ownRegistrySettings } from "./registry-access.ts";
import { type ImageName, parseImageName } from "../image-name.ts";

/** A configuration says a page about an image. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

export type RemoteManifest =
  | { readonly kind: "image"; readonly manifest: LocalManifest }
  | { readonly kind: "list"; readonly manifests: readonly LocalManifest[] };

/** One registry, asked for the manifests of images and told of lists; with the person's credentials. */
export class ManifestRegistry {
  readonly #client: RegistryClient;
  // The calls end with the process: Ctrl-C ends it.
  readonly #signal = new AbortController().signal;

  private constructor(client: RegistryClient) {
    this.#client = client;
  }

  /** @param isInsecure plain HTTP and certificates that nobody vouches for will do */
  static async open(context: Context, domain: string, isInsecure: boolean): Promise<ManifestRegistry> {
    const login = await credentialsOf(context).find(keyOfDomain(domain));
    const settings = ownRegistrySettings(context, isInsecure ? [domain] : []);
    const credentials = login && asCredentials(login);
    return new ManifestRegistry(new RegistryClient({ domain, credentials, settings }));
  }

  /** What a name stands for, the images of a list each with the platform that the list says. */
  async get({ name, full }: ImageName): Promise<RemoteManifest> {
    const fetched = await this.#fetch(name, full);
    if (fetched.document.kind === "manifest") {
      const { manifest } = fetched.document;
      const platform = await this.#platformOf(name.path, manifest.config);
      return { kind: "image", manifest: toLocal(full, fetched, platform) };
    }
    return { kind: "list", manifests: await this.#images({ name, full }, fetched.document.index) };
  }

  /** The manifest of one image. @throws {EngineError} invalid when the name stands for a list */
  async getImage(target: ImageName): Promise<LocalManifest> {
    const found = await this.get(target);
    if (found.kind === "list") throw new EngineError("invalid", `${target.full} is a manifest list`);
    return found.manifest;
  }

  /**
   * Makes an image of another repository of the registry part of `repository`: its blobs are mounted, or copied where
   * the registry does not mount, then its manifest is stored by its digest.
   */
  async adopt(image: LocalManifest, repository: string): Promise<void> {
    const { path } = parseImageName(image.reference).name;
    const document = decodeManifestDocument(image.raw, image.mediaType);
    if (document.kind === "index") throw new EngineError("invalid", `${image.reference} is a manifest list`);
    for (const blob of blobsOf(document.manifest)) {
      if (await this.#client.findBlob(repository, blob.digest, this.#signal)) continue;
      const expected = { digest: blob.digest, size: blob.size };
      const source = {
        expected,
        open: (offset: number) => this.#client.blob(path, blob, offset, this.#signal),
      };
      await this.#client.upload(repository, source, { mountFrom: path }, this.#signal);
    }
    const put = { bytes: image.raw, mediaType: image.mediaType };
    await this.#client.putManifest(repository, image.digest, put, this.#signal);
  }

  /** @returns the digest of the list, as it is stored */
  async put({ path, tag, digest }: NamedReference, list: ManifestList): Promise<string> {
    return await this.#client.putManifest(path, digest ?? tag ?? "latest", list, this.#signal);
  }

  async #images(
    { name, full: list }: Pick<ImageName, "name" | "full">,
    index: Index,
  ): Promise<LocalManifest[]> {
    const images: LocalManifest[] = [];
    for (const entry of index.manifests) {
      const full = `${list.replace(/@.*$/, "")}@${entry.digest}`;
      const fetched = await this.#fetch({ ...name, digest: entry.digest }, full);
      if (fetched.document.kind === "index") {
        throw new EngineError("unsupported", `Cannot read ${full}: it is a list inside a list`);
      }
      images.push(toLocal(full, fetched, decodeListPlatform(new Fields(entry.platform))));
    }
    return images;
  }

  async #fetch(name: NamedReference, full: string): Promise<Fetched> {
    try {
      const found = await this.#client.manifest(name.path, name.digest ?? name.tag ?? "latest", this.#signal);
      const mediaType = found.mediaType || undefined;
      const document = decodeManifestDocument(found.bytes, mediaType);
      const inner = document.kind === "index" ? document.index.mediaType : document.manifest.mediaType;
      return { ...found, mediaType: inner, document };
    } catch (error) {
      if (!EngineError.is(error, "not-found")) throw error;
      throw new EngineError("not-found", `no such manifest: ${full}`, { cause: error });
    }
  }

  /** What the image's own configuration says; nothing for what is no image. */
  async #platformOf(repository: string, config: Descriptor): Promise<ListPlatform> {
    if (config.size > MAX_CONFIG_BYTES) {
      throw new EngineError("invalid", `Cannot read the configuration ${config.digest}: it is too large`);
    }
    const digester = digesterFor(config.digest);
    const parts: Uint8Array[] = [];
    for await (const part of this.#client.blob(repository, config, 0, this.#signal)) {
      digester.update(part);
      parts.push(part);
    }
    if (digester.digest() !== config.digest) {
      throw new EngineError("corrupt", `image config verification failed for digest ${config.digest}`);
    }
    const what = `the configuration ${config.digest}`;
    const fields = new Fields(parseJson(Buffer.concat(parts).toString(), what), what);
    return listPlatform({
      architecture: fields.string("architecture") ?? "",
      os: fields.string("os") ?? "",
      version: fields.string("os.version"),
      features: fields.strings("os.features"),
      variant: fields.string("variant"),
    });
  }
}

interface Fetched {
  readonly bytes: Uint8Array;
  readonly digest: LocalManifest["digest"];
  readonly mediaType: string;
  readonly document: ReturnType<typeof decodeManifestDocument>;
}

function toLocal(
  reference: string,
  { bytes, digest, mediaType }: Fetched,
  platform: ListPlatform,
): LocalManifest {
  return { reference, mediaType, digest, size: bytes.byteLength, platform, raw: bytes };
}

/** Each once: layers may repeat. */
function blobsOf({ config, layers }: Manifest): Descriptor[] {
  return [...new Map([config, ...layers].map((blob) => [blob.digest, blob])).values()];
}
