import { randomUUID } from "node:crypto";
import { isRepositoryPath, isTag } from "#oci/reference.ts";

declare const brand: unique symbol;

/**
 * A repository's name. Its grammar is what keeps clients inside the folder: components have no leading dot or
 * underscore and no slash, so that none is `..` or one of the layout's own folders. OCI distribution-spec, "Pull".
 */
export type RepositoryName = string & { readonly [brand]: "RepositoryName" };

export type Tag = string & { readonly [brand]: "Tag" };

/** A UUID that names an upload session. */
export type UploadId = string & { readonly [brand]: "UploadId" };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function findRepositoryName(text: string): RepositoryName | undefined {
  return isRepositoryPath(text) ? (text as RepositoryName) : undefined;
}

export function findTag(text: string): Tag | undefined {
  return isTag(text) ? (text as Tag) : undefined;
}

export function findUploadId(text: string): UploadId | undefined {
  return UUID.test(text) ? (text as UploadId) : undefined;
}

export function newUploadId(): UploadId {
  return randomUUID() as string as UploadId;
}
