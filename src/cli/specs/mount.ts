import { resolve } from "node:path";
import type { BindOptions, Mount, MountType, TmpfsOptions, VolumeOptions } from "#api/mounts.ts";
import { EngineError } from "#base/errors.ts";
import { parseBytes } from "./bytes.ts";
import { cutAt, parseCsv } from "./key-values.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Draft {
  type: MountType;
  source?: string;
  target: string;
  isReadOnly: boolean;
  consistency?: string;
  readonly bind: Mutable<BindOptions>;
  readonly volume: Mutable<VolumeOptions>;
  readonly image: { Subpath?: string };
  readonly tmpfs: Mutable<TmpfsOptions>;
}

type Setter = (draft: Draft, value: string) => void;

/** Keys of `--mount` and their effect; a key without value reads as `true`. docker/cli `opts/mount.go`. */
const KEYS: Readonly<Record<string, Setter>> = {
  type: (draft, value) => {
    draft.type = mountType(value);
  },
  source: (draft, value) => {
    draft.source = value;
  },
  target: (draft, value) => {
    draft.target = value;
  },
  readonly: (draft, value) => {
    draft.isReadOnly = parseFlag("readonly", value);
  },
  consistency: (draft, value) => {
    draft.consistency = value.toLowerCase();
  },
  "bind-propagation": (draft, value) => {
    draft.bind.Propagation = value.toLowerCase();
  },
  "bind-nonrecursive": (draft, value) => {
    draft.bind.NonRecursive = parseFlag("bind-nonrecursive", value);
  },
  "bind-recursive": (draft, value) => setRecursive(draft, value),
  "bind-create-src": (draft, value) => {
    draft.bind.CreateMountpoint = parseFlag("bind-create-src", value);
  },
  "volume-subpath": (draft, value) => {
    draft.volume.Subpath = value;
  },
  "image-subpath": (draft, value) => {
    draft.image.Subpath = value;
  },
  "volume-nocopy": (draft, value) => {
    draft.volume.NoCopy = parseFlag("volume-nocopy", value);
  },
  "volume-label": (draft, value) => {
    const [key, text = ""] = cutAt(value, "=");
    draft.volume.Labels = { ...draft.volume.Labels, [key]: text };
  },
  "volume-driver": (draft, value) => {
    draft.volume.DriverConfig = { ...draft.volume.DriverConfig, Name: value };
  },
  "volume-opt": (draft, value) => {
    const [key, text = ""] = cutAt(value, "=");
    const options = { ...draft.volume.DriverConfig?.Options, [key]: text };
    draft.volume.DriverConfig = { ...draft.volume.DriverConfig, Options: options };
  },
  "tmpfs-size": (draft, value) => {
    draft.tmpfs.SizeBytes = parseBytes(value);
  },
  "tmpfs-mode": (draft, value) => {
    if (!/^[0-7]{1,5}$/.test(value)) throw invalidValue("tmpfs-mode", value);
    draft.tmpfs.Mode = Number.parseInt(value, 8);
  },
};

const ALIASES: Readonly<Record<string, string>> = {
  src: "source",
  dst: "target",
  destination: "target",
  ro: "readonly",
};

/** `--mount type=bind,source=./a,target=/b,readonly`. @throws {EngineError} invalid, in Docker's words */
export function parseMount(text: string, workingDirectory: string): Mount {
  const draft: Draft = {
    type: "volume",
    target: "",
    isReadOnly: false,
    bind: {},
    volume: {},
    image: {},
    tmpfs: {},
  };
  for (const field of parseCsv(text.trim())) {
    const [name, value] = cutAt(field, "=");
    const key = name.toLowerCase();
    checkSpace(field, name, value);
    const setter = Object.hasOwn(KEYS, ALIASES[key] ?? key) ? KEYS[ALIASES[key] ?? key] : undefined;
    const isSwitch = ["readonly", "ro", "volume-nocopy", "bind-nonrecursive", "bind-create-src"].includes(
      key,
    );
    if (value === undefined && !isSwitch)
      throw new EngineError("invalid", `invalid field '${field}' must be a key=value pair`);
    if (!setter) throw new EngineError("invalid", `unknown option '${key}' in '${field}'`);
    setter(draft, value ?? "true");
  }
  if (draft.target === "") throw new EngineError("invalid", "target is required");
  return finish(draft, workingDirectory);
}

/** Space around a key or a value is taken for a slip. */
function checkSpace(field: string, name: string, value: string | undefined): void {
  const complain = (text: string): never => {
    throw new EngineError("invalid", text);
  };
  if (name.trim() !== name) {
    complain(`invalid option '${name.trim()}' in '${field}': option should not have whitespace`);
  }
  if (value === undefined) return;
  if (value.trim() === "") complain(`invalid value for '${name}': value is empty`);
  if (value.trim() !== value) {
    complain(`invalid value for '${name}' in '${field}': value should not have whitespace`);
  }
}

/** What bind-recursive asks for only means something together with other options. */
function checkRecursive({ bind, isReadOnly }: Draft): void {
  const needs = (option: string, other: string): never => {
    throw new EngineError(
      "invalid",
      `option 'bind-recursive=${option}' requires '${other}' to be specified in conjunction`,
    );
  };
  if (bind.ReadOnlyNonRecursive && !isReadOnly) needs("writable", "readonly");
  if (!bind.ReadOnlyForceRecursive) return;
  if (!isReadOnly) needs("readonly", "readonly");
  if (bind.Propagation !== "rprivate") needs("readonly", "bind-propagation=rprivate");
}

function finish(draft: Draft, workingDirectory: string): Mount {
  const isRelative = draft.type === "bind" && draft.source?.startsWith(".") === true;
  const source = isRelative ? resolve(workingDirectory, draft.source ?? "") : draft.source;
  const groups = { bind: draft.bind, volume: draft.volume, image: draft.image, tmpfs: draft.tmpfs };
  for (const [type, options] of Object.entries(groups)) {
    if (Object.keys(options).length > 0 && type !== draft.type) {
      throw new EngineError("invalid", `cannot mix '${type}-*' options with mount type '${draft.type}'`);
    }
  }
  checkRecursive(draft);
  const used = <T extends object>(options: T): T | undefined =>
    Object.keys(options).length > 0 ? options : undefined;
  return {
    Type: draft.type,
    Source: source,
    Target: draft.target,
    ReadOnly: draft.isReadOnly ? true : undefined,
    Consistency: draft.consistency,
    BindOptions: used(draft.bind),
    VolumeOptions: used(draft.volume),
    ImageOptions: used(draft.image),
    TmpfsOptions: used(draft.tmpfs),
  };
}

function setRecursive(draft: Draft, value: string): void {
  if (value === "disabled") draft.bind.NonRecursive = true;
  else if (value === "writable") draft.bind.ReadOnlyNonRecursive = true;
  else if (value === "readonly") draft.bind.ReadOnlyForceRecursive = true;
  else if (value !== "enabled") {
    throw new EngineError(
      "invalid",
      `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
    );
  }
}

function mountType(value: string): MountType {
  const known: readonly MountType[] = ["bind", "volume", "tmpfs", "image", "npipe", "cluster"];
  const type = known.find((one) => one === value.toLowerCase());
  if (type === undefined) throw new EngineError("invalid", `mount type unknown: "${value}"`);
  return type;
}

function parseFlag(key: string, value: string): boolean {
  if (["1", "t", "true"].includes(value.toLowerCase())) return true;
  if (["0", "f", "false"].includes(value.toLowerCase())) return false;
  throw invalidValue(key, value);
}

function invalidValue(key: string, value: string): EngineError {
  return new EngineError("invalid", `invalid value for ${key}: ${value}`);
}
