/** A file of this prefix removes its namesake from the layers below. OCI image-spec, layer.md#whiteouts. */
export const WHITEOUT_PREFIX = ".wh.";

/** A file of this name hides everything the layers below have in its directory. layer.md#opaque-whiteout. */
export const OPAQUE_WHITEOUT = ".wh..wh..opq";

/** AUFS kept its own records (`.wh..wh.plnk`, `.wh..wh.aufs`) in layers; they mean nothing and are passed over. */
const AUFS_RECORD_PREFIX = ".wh..wh.";

export type Whiteout =
  | { readonly kind: "opaque" }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "ignored" };

/** What the last component of an entry's path says as a whiteout; `undefined` when it is an ordinary name. */
export function parseWhiteout(name: string): Whiteout | undefined {
  if (!name.startsWith(WHITEOUT_PREFIX)) return undefined;
  if (name === OPAQUE_WHITEOUT) return { kind: "opaque" };
  const removed = name.slice(WHITEOUT_PREFIX.length);
  if (name.startsWith(AUFS_RECORD_PREFIX) || removed === "" || removed === "." || removed === "..")
    return { kind: "ignored" };
  return { kind: "remove", name: removed };
}

export function whiteoutName(name: string): string {
  return `${WHITEOUT_PREFIX}${name}`;
}
