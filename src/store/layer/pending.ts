import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Fields, parseJson } from "#base/decode.ts";
import { isErrno } from "#base/errors.ts";

/**
 * What a layer unpacked without its parent could not know. It lies as `pending.json` beside the layer's directory until
 * the snapshot is committed under its parent, and `settle` looks there. All paths are relative to the layer's root and
 * lead through no symlink of the layer.
 */
export interface Pending {
  /** Made because an entry lies in them; the parent may have their owner, mode and times. The root is `""`. */
  readonly directories: readonly string[];
  /** Hard links to files that only the layers below have; an empty file is in their place. */
  readonly links: readonly { readonly path: string; readonly target: string }[];
}

export function writePending(target: string, pending: Pending): void {
  if (pending.directories.length === 0 && pending.links.length === 0) return;
  writeFileSync(pathBeside(target), JSON.stringify(pending), { mode: 0o600 });
}

/** `undefined` when nothing is pending for the layer directory `target`. */
export function findPending(target: string): Pending | undefined {
  try {
    const fields = new Fields(parseJson(readFileSync(pathBeside(target), "utf8"), "pending.json"), "pending");
    return {
      directories: fields.strings("directories") ?? [],
      links: fields.list("links", decodeLink) ?? [],
    };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

export function removePending(target: string): void {
  rmSync(pathBeside(target), { force: true });
}

function decodeLink(value: unknown, path: string): { path: string; target: string } {
  const fields = new Fields(value, path);
  return {
    path: fields.required("path", fields.string("path")),
    target: fields.required("target", fields.string("target")),
  };
}

function pathBeside(target: string): string {
  return join(dirname(target), "pending.json");
}
