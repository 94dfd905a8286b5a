import { EngineError } from "#base/errors.ts";
import {
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
} from "#linux/constants.ts";

/** Options of the driver `local`: what mount(8) takes as `-t`, `-o` and what is mounted. */
export type LocalOptions = Readonly<Record<string, string>>;

/** What a volume's data directory is to be mounted from. */
export interface LocalMount {
  readonly device: string;
  readonly type: string;
  /** `MS_*`, without those of propagation, which the kernel takes in a call of its own. */
  readonly flags: number;
  readonly propagation: number;
  /** What the file system itself is told. */
  readonly data: string;
}

const KNOWN = new Set(["type", "o", "device", "size"]);
/** Each needs the others beside it. Docker's daemon/volume/local/local_unix.go. */
const NEEDS: readonly (readonly [string, readonly string[]])[] = [
  ["device", ["type"]],
  ["o", ["device", "type"]],
  ["type", ["device"]],
];

const MS_SYNCHRONOUS = 16;
const MS_MANDLOCK = 64;
const MS_DIRSYNC = 128;
const MS_NOATIME = 1024;
const MS_NODIRATIME = 2048;
const MS_UNBINDABLE = 1 << 17;
const MS_RELATIME = 1 << 21;
const MS_STRICTATIME = 1 << 24;

/** By the names of mount(8): what is set, what is cleared. */
const FLAGS: ReadonlyMap<string, { readonly set?: number; readonly clear?: number }> = new Map([
  ["defaults", {}],
  ["ro", { set: MS_RDONLY }],
  ["rw", { clear: MS_RDONLY }],
  ["suid", { clear: MS_NOSUID }],
  ["nosuid", { set: MS_NOSUID }],
  ["dev", { clear: MS_NODEV }],
  ["nodev", { set: MS_NODEV }],
  ["exec", { clear: MS_NOEXEC }],
  ["noexec", { set: MS_NOEXEC }],
  ["sync", { set: MS_SYNCHRONOUS }],
  ["async", { clear: MS_SYNCHRONOUS }],
  ["dirsync", { set: MS_DIRSYNC }],
  ["mand", { set: MS_MANDLOCK }],
  ["nomand", { clear: MS_MANDLOCK }],
  ["atime", { clear: MS_NOATIME }],
  ["noatime", { set: MS_NOATIME }],
  ["diratime", { clear: MS_NODIRATIME }],
  ["nodiratime", { set: MS_NODIRATIME }],
  ["relatime", { set: MS_RELATIME }],
  ["norelatime", { clear: MS_RELATIME }],
  ["strictatime", { set: MS_STRICTATIME }],
  ["nostrictatime", { clear: MS_STRICTATIME }],
  ["bind", { set: MS_BIND }],
  ["rbind", { set: MS_BIND | MS_REC }],
]);

const PROPAGATION: ReadonlyMap<string, number> = new Map([
  ["private", MS_PRIVATE],
  ["rprivate", MS_PRIVATE | MS_REC],
  ["shared", MS_SHARED],
  ["rshared", MS_SHARED | MS_REC],
  ["slave", MS_SLAVE],
  ["rslave", MS_SLAVE | MS_REC],
  ["unbindable", MS_UNBINDABLE],
  ["runbindable", MS_UNBINDABLE | MS_REC],
]);

/** @throws {EngineError} invalid, in Docker's words */
export function checkLocalOptions(name: string, options: LocalOptions): void {
  const given = Object.keys(options).filter((key) => options[key] !== "");
  const unknown = Object.keys(options).find((key) => !KNOWN.has(key));
  if (unknown !== undefined) throw refusal(name, `invalid option: "${unknown}"`);
  for (const [option, others] of NEEDS) {
    const missing = given.includes(option) && others.find((other) => !given.includes(other));
    if (missing) throw refusal(name, `missing required option: "${missing}"`);
  }
  if (given.includes("size")) {
    throw refusal(name, "quota size requested but no quota support", {
      hint: "for a volume in memory give the size to its file system: --opt type=tmpfs --opt device=tmpfs --opt o=size=64m",
    });
  }
}

/** What is mounted for these options; `undefined` when the data lie in the volume's own directory. */
export function localMount(options: LocalOptions): LocalMount | undefined {
  const { device = "", type = "", o = "" } = options;
  if (device === "" && type === "") return undefined;
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const option of o.split(",").filter(Boolean)) {
    const flag = FLAGS.get(option);
    const wanted = PROPAGATION.get(option);
    if (flag !== undefined) flags = (flags & ~(flag.clear ?? 0)) | (flag.set ?? 0);
    else if (wanted !== undefined) propagation = wanted;
    else data.push(option);
  }
  return { device, type, flags, propagation, data: data.join(",") };
}

/** The name of a server that the kernel wants as an address: `addr=` of a network file system. */
export function serverName({ data }: Pick<LocalMount, "data">): string | undefined {
  return data
    .split(",")
    .find((option) => option.startsWith("addr="))
    ?.slice("addr=".length);
}

function refusal(name: string, reason: string, options: { hint?: string } = {}): EngineError {
  return new EngineError("invalid", `create ${name}: ${reason}`, options);
}
