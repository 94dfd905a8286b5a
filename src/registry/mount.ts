import { EngineError } from "#base/errors.ts";
import type { Digest } from "#oci/digest.ts";
import { discard } from "./bounded-body.ts";
import { pullScope, pushScope } from "./manifests.ts";
import type { RegistryHost } from "./registry-host.ts";

export interface Mount {
  readonly repository: string;
  readonly digest: Digest;
  /** The repository that has the blob. */
  readonly mountFrom: string;
}

/**
 * Has a blob of another repository without moving a byte. OCI distribution-spec, "Mounting a blob from another
 * repository". False where the blob is not known, may not be read, or where mounts are not done.
 */
export async function mountBlob(
  host: RegistryHost,
  { repository, digest, mountFrom }: Mount,
  signal: AbortSignal,
): Promise<boolean> {
  const scopes = [...pushScope(repository), ...pullScope(mountFrom)];
  const path = `${repository}/blobs/uploads/`;
  const query = { mount: digest, from: mountFrom };
  try {
    const response = await host.request({ method: "POST", path, query, scopes }, signal);
    await discard(response);
    const location = response.headers.get("location");
    if (response.status === 202 && location !== null)
      await cancelUpload(host, { repository, location }, signal);
    return response.status === 201;
  } catch (error) {
    // a token server may refuse a token that reads there
    if (EngineError.is(error, "unauthorized")) return false;
    throw error;
  }
}

/** The upload that was begun in the mount's place is not wanted; a registry that does not cancel forgets it. */
async function cancelUpload(
  host: RegistryHost,
  { repository, location }: { readonly repository: string; readonly location: string },
  signal: AbortSignal,
): Promise<void> {
  const path = await host.locate(location, signal);
  await discard(await host.request({ method: "DELETE", path, scopes: pushScope(repository) }, signal));
}
