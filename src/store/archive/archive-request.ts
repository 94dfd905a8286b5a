import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, type ErrorKind } from "#base/errors.ts";
import type { FileType } from "#linux/root-directory.ts";

/*
 * The engine gives work on containers' files to a child of its own: `worker archive <request>`, the request being JSON.
 *
 *     stdin    the tar, for `extract`
 *     stdout   what is asked for: a tar, or JSON for `changes`
 *     stderr   lines of JSON: {"stat":{…}} first where there is one, then {"done":{…}} or {"error":{…}}
 */

/** A directory or file of the host that is seen at `destination` in the container. */
export interface ViewMount {
  readonly source: string;
  readonly destination: string;
  readonly isReadOnly: boolean;
  readonly isRecursive: boolean;
  /** What of the source is seen, resolved inside it. */
  readonly subpath?: string;
}

/** A container's files as the container would see them. */
export interface View {
  /** Where its root is mounted on this host. */
  readonly root: string;
  readonly isRootReadOnly: boolean;
  /** Parents before what lies below them. */
  readonly mounts: readonly ViewMount[];
}

export type ArchiveRequest =
  | { readonly kind: "stat"; readonly view: View; readonly path: string }
  | { readonly kind: "pack"; readonly view: View; readonly path: string }
  | {
      readonly kind: "extract";
      readonly view: View;
      readonly path: string;
      /** Instead of the owners that the archive has. */
      readonly owner?: { readonly uid: number; readonly gid: number };
      /** A directory does not replace another thing, nor another thing a directory. */
      readonly refusesTypeChange: boolean;
      /** The archive's own top gives the directory its attributes. */
      readonly describesTop?: boolean;
    }
  | { readonly kind: "export"; readonly root: string }
  | { readonly kind: "changes"; readonly upper: string; readonly below?: string }
  | { readonly kind: "layer"; readonly upper: string };

/** Reads the JSON of a request. @throws {EngineError} invalid */
export function decodeRequest(text: string): ArchiveRequest {
  const fields = new Fields(parseJson(text, "archive request"), "request");
  const required = (key: string): string => fields.required(key, fields.string(key));
  const kind = fields.string("kind");
  switch (kind) {
    case "stat":
    case "pack":
      return { kind, view: decodeView(fields.object("view")), path: required("path") };
    case "extract":
      return {
        kind,
        view: decodeView(fields.object("view")),
        path: required("path"),
        ...(fields.has("owner") && { owner: decodeOwner(fields.object("owner")) }),
        refusesTypeChange: fields.boolean("refusesTypeChange") ?? false,
        describesTop: fields.boolean("describesTop") ?? false,
      };
    case "export":
      return { kind, root: required("root") };
    case "changes": {
      const below = fields.string("below");
      return { kind, upper: required("upper"), ...(below !== undefined && { below }) };
    }
    case "layer":
      return { kind, upper: required("upper") };
    default:
      throw new EngineError("invalid", `Cannot read request.kind: "${kind ?? ""}" is not known`);
  }
}

function decodeView(fields: Fields): View {
  return {
    root: fields.required("root", fields.string("root")),
    isRootReadOnly: fields.boolean("isRootReadOnly") ?? false,
    mounts: fields.list("mounts", decodeMount) ?? [],
  };
}

function decodeMount(value: unknown, path: string): ViewMount {
  const fields = new Fields(value, path);
  const subpath = fields.string("subpath");
  return {
    source: fields.required("source", fields.string("source")),
    destination: fields.required("destination", fields.string("destination")),
    isReadOnly: fields.boolean("isReadOnly") ?? false,
    isRecursive: fields.boolean("isRecursive") ?? false,
    ...(subpath !== undefined && { subpath }),
  };
}

function decodeOwner(fields: Fields): { uid: number; gid: number } {
  return {
    uid: fields.required("uid", fields.integer("uid")),
    gid: fields.required("gid", fields.integer("gid")),
  };
}

/** What a path of a container is. */
export interface PathStat {
  /** The last name of the path as it was asked for. */
  readonly name: string;
  readonly type: FileType;
  /** Permission bits with set-id and sticky. */
  readonly mode: number;
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Where a symlink leads in the end, as far as that exists; empty for anything else. */
  readonly linkTarget: string;
}

export function encodeStat(stat: PathStat): unknown {
  return { ...stat, mtimeNs: String(stat.mtimeNs) };
}

const TYPES: readonly FileType[] = ["file", "directory", "symlink", "character", "block", "fifo", "socket"];

export function decodeStat(fields: Fields): PathStat {
  return {
    name: fields.string("name") ?? "",
    type: fields.required(
      "type",
      TYPES.find((type) => type === fields.string("type")),
    ),
    mode: fields.required("mode", fields.integer("mode")),
    size: fields.required("size", fields.integer("size")),
    mtimeNs: BigInt(fields.required("mtimeNs", fields.string("mtimeNs"))),
    linkTarget: fields.string("linkTarget") ?? "",
  };
}

const KINDS: readonly ErrorKind[] = ["invalid", "unsupported", "unavailable", "not-found", "corrupt"];

/** The error that a child has told. */
export function decodeFailure(fields: Fields): EngineError {
  const hint = fields.string("hint");
  return new EngineError(
    KINDS.find((kind) => kind === fields.string("kind")) ?? "internal",
    fields.string("message") ?? "the work on a container's files failed",
    hint === undefined ? {} : { hint },
  );
}
