import { posix } from "node:path";
import type { MountFlag } from "../dockerfile/instruction.ts";
import type { StepMount } from "./run-operation.ts";

/** A mount of RUN with its variables replaced; `from` still names a stage or an image. */
export type MountRequest =
  | (Omit<Extract<StepMount, { type: "bind" }>, "input"> & { readonly from: string | undefined })
  | (Omit<Extract<StepMount, { type: "cache" }>, "seed"> & {
      readonly from: string | undefined;
      readonly source: string;
    })
  | Extract<StepMount, { type: "tmpfs" }>
  /** Nobody can give these here: skipped, or refused when they are required. */
  | { readonly type: "secret" | "ssh"; readonly id: string; readonly isRequired: boolean };

/** Thrown for a mount that makes no sense; the caller knows the place. */
export class MountError extends Error {}

const KEYS: Readonly<Record<MountRequest["type"], readonly string[]>> = {
  bind: ["target", "source", "from", "readonly", "readwrite"],
  cache: ["id", "target", "source", "from", "readonly", "readwrite", "sharing", "mode", "uid", "gid"],
  tmpfs: ["target", "size"],
  secret: ["id", "target", "source", "env", "required", "mode", "uid", "gid"],
  ssh: ["id", "target", "required", "mode", "uid", "gid"],
};

const ALIASES: ReadonlyMap<string, string> = new Map([
  ["src", "source"],
  ["dst", "target"],
  ["destination", "target"],
  ["ro", "readonly"],
  ["rw", "readwrite"],
]);

/**
 * Gives a `--mount` its meaning.
 *
 * @param expand replaces variables; not applied to `from`
 * @throws {MountError}
 */
export function readMount(
  flag: MountFlag,
  { cwd, expand }: { readonly cwd: string; readonly expand: (text: string) => string },
): MountRequest {
  const fields = new Map<string, string>();
  for (const { key, value } of flag.fields) {
    const name = ALIASES.get(key) ?? key;
    fields.set(name, value === undefined ? "" : name === "from" ? value : expand(value));
  }
  const type = fields.get("type") ?? "bind";
  if (!isMountType(type)) {
    throw new MountError(`unsupported mount type "${type}": it is one of ${Object.keys(KEYS).join(", ")}`);
  }
  for (const name of fields.keys()) {
    if (name !== "type" && !KEYS[type].includes(name))
      throw new MountError(`unexpected key '${name}' for mount type '${type}'`);
  }
  return build(type, fields, cwd);
}

function build(type: MountRequest["type"], fields: ReadonlyMap<string, string>, cwd: string): MountRequest {
  const source = posix.join("/", fields.get("source") ?? "");
  const from = fields.get("from");
  switch (type) {
    case "bind":
      return { type, target: target(fields, cwd), from, source, isReadOnly: isReadOnly(fields, true) };
    case "cache": {
      const path = target(fields, cwd);
      return {
        type,
        target: path,
        id: fields.get("id") || path,
        sharing: sharing(fields),
        isReadOnly: isReadOnly(fields, false),
        mode: octal(fields, "mode", 0o755),
        uid: whole(fields, "uid"),
        gid: whole(fields, "gid"),
        from,
        source,
      };
    }
    case "tmpfs": {
      const sizeBytes = size(fields);
      return { type, target: target(fields, cwd), ...(sizeBytes !== undefined && { sizeBytes }) };
    }
    case "secret":
    case "ssh": {
      const id =
        fields.get("id") || fields.get("source") || posix.basename(fields.get("target") ?? "") || "default";
      return { type, id, isRequired: flagValue(fields, "required") ?? false };
    }
  }
}

function isMountType(type: string): type is MountRequest["type"] {
  return Object.hasOwn(KEYS, type);
}

function target(fields: ReadonlyMap<string, string>, cwd: string): string {
  const value = fields.get("target");
  if (value === undefined || value === "") throw new MountError("the mount needs a target");
  const path = posix.resolve(cwd, value);
  if (path === "/") throw new MountError('the mount target "/" is the root itself');
  return path;
}

function isReadOnly(fields: ReadonlyMap<string, string>, byDefault: boolean): boolean {
  const readOnly = flagValue(fields, "readonly");
  const readWrite = flagValue(fields, "readwrite");
  return readOnly ?? (readWrite === undefined ? byDefault : !readWrite);
}

/** `key`, `key=true`, `key=1`, `key=false`, `key=0`. */
function flagValue(fields: ReadonlyMap<string, string>, key: string): boolean | undefined {
  const value = fields.get(key)?.toLowerCase();
  if (value === undefined) return undefined;
  if (["", "true", "1", "t"].includes(value)) return true;
  if (["false", "0", "f"].includes(value)) return false;
  throw new MountError(`invalid value for ${key}: ${value}`);
}

function sharing(fields: ReadonlyMap<string, string>): "shared" | "private" | "locked" {
  const value = fields.get("sharing") ?? "shared";
  if (value === "shared" || value === "private" || value === "locked") return value;
  throw new MountError(`unsupported sharing value "${value}": it is one of shared, private, locked`);
}

function octal(fields: ReadonlyMap<string, string>, key: string, byDefault: number): number {
  const value = fields.get(key);
  if (value === undefined) return byDefault;
  if (!/^[0-7]{1,5}$/.test(value))
    throw new MountError(`invalid value "${value}" for ${key}: it must be octal`);
  return Number.parseInt(value, 8) & 0o7777;
}

function whole(fields: ReadonlyMap<string, string>, key: string): number {
  const value = fields.get(key) ?? "0";
  if (!/^\d{1,10}$/.test(value) || Number(value) > 0x7fff_ffff)
    throw new MountError(`invalid value "${value}" for ${key}`);
  return Number(value);
}

function size(fields: ReadonlyMap<string, string>): number | undefined {
  const value = fields.get("size");
  if (value === undefined) return undefined;
  const match = /^(\d{1,12})([bkmg]?)b?$/i.exec(value);
  if (match === null) throw new MountError(`invalid value "${value}" for size: expected a form such as 64m`);
  return Number(match[1]) * 1024 ** "bkmg".indexOf(match[2]?.toLowerCase() || "b");
}
