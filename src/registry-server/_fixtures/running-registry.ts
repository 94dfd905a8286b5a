import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "#base/log.ts";
import { type Digest, digestOf } from "#oci/digest.ts";
import { MEDIA_TYPE } from "#oci/media-types.ts";
import { openToAll } from "../auth/guard.ts";
import { Registry, type RegistryOptions } from "../registry.ts";
import { RegistryServer } from "../server.ts";
import {
  DEFAULT_MAX_BLOB_BYTES,
  openStorage,
  type Storage,
  type StorageOptions,
} from "../storage/storage.ts";

export interface Running extends AsyncDisposable {
  readonly root: string;
  readonly storage: Storage;
  readonly registry: Registry;
  readonly host: string;
  /** A request for a path of this registry, or for a `Location` that it gave. */
  ask(method: string, path: string, init?: AskInit): Promise<Response>;
}

export type AskInit = Pick<RequestInit, "body" | "signal"> & { readonly headers?: Record<string, string> };

export type RunningOptions = Partial<Omit<RegistryOptions, "storage" | "log">> &
  Partial<Omit<StorageOptions, "quotas">> &
  Pick<StorageOptions, "quotas"> & { readonly idleMs?: number };

/** A registry of a folder of its own, on a port of its own. */
export async function runRegistry(options: RunningOptions = {}): Promise<Running> {
  const folder = options.root === undefined ? await mkdtemp(join(tmpdir(), "darse-serve-")) : undefined;
  const root = options.root ?? folder ?? "";
  const storage = await openStorage({ ...options, root });
  const registry = new Registry({
    guard: openToAll,
    maxBlobBytes: options.maxBlobBytes ?? DEFAULT_MAX_BLOB_BYTES,
    ...options,
    storage,
    log: silentLogger,
  });
  const { idleMs } = options;
  const server = await RegistryServer.listen(
    registry,
    { host: "127.0.0.1", port: 0 },
    idleMs === undefined ? {} : { idleMs },
  );
  const host = `127.0.0.1:${server.address.port}`;
  return {
    root,
    storage,
    registry,
    host,
    ask: (method, path, init = {}) =>
      fetch(new URL(path, `http://${host}`), { method, redirect: "manual", ...init }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      if (folder !== undefined) await rm(folder, { recursive: true });
    },
  };
}

export const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Puts a blob in one request. */
export async function putBlob(
  registry: Running,
  repository: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Digest> {
  const digest = digestOf(bytes);
  const answer = await registry.ask("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, {
    body: bytes,
  });
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return digest;
}

export interface Image {
  readonly digest: Digest;
  readonly config: Digest;
  readonly layer: Digest;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ImageExtras {
  readonly tag?: string;
  readonly artifactType?: string;
  readonly subject?: Digest;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Pushes an image of one layer that holds `text`. */
export async function pushImage(
  registry: Running,
  repository: string,
  text: string,
  { tag, subject, ...rest }: ImageExtras = {},
): Promise<Image> {
  const config = await putBlob(registry, repository, bytesOf(`{"of":"${text}"}`));
  const layer = await putBlob(registry, repository, bytesOf(text));
  const bytes = bytesOf(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: { mediaType: MEDIA_TYPE.ociConfig, digest: config, size: text.length + 9 },
      layers: [{ mediaType: MEDIA_TYPE.ociLayer, digest: layer, size: text.length }],
      ...(subject !== undefined && {
        subject: { mediaType: MEDIA_TYPE.ociManifest, digest: subject, size: 1 },
      }),
      ...rest,
    }),
  );
  const digest = digestOf(bytes);
  const answer = await putManifest(registry, `${repository}/manifests/${tag ?? digest}`, bytes);
  if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
  return { digest, config, layer, bytes };
}

export async function putManifest(
  registry: Running,
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  type: string = MEDIA_TYPE.ociManifest,
): Promise<Response> {
  return await registry.ask("PUT", `/v2/${path}`, { body: bytes, headers: { "Content-Type": type } });
}

/** The code of the first error in an answer's body. */
export async function errorCode(answer: Response): Promise<unknown> {
  const body = (await answer.json()) as { errors?: { code?: unknown }[] };
  return body.errors?.[0]?.code;
}
