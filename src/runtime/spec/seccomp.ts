import { Fields } from "#base/decode.ts";
import type { SeccompArgument, SeccompSyscall, SpecSeccomp } from "#oci/runtime-spec.ts";
import defaultProfile from "./seccomp-default.json" with { type: "json" };

/** A profile in Docker's form: rules that depend on capabilities, architecture and kernel. */
export interface SeccompProfile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  /** Used as they stand when `archMap` has nothing for the host. */
  readonly architectures: readonly string[];
  readonly archMap: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  readonly flags?: readonly string[];
  readonly syscalls: readonly ProfileRule[];
}

export interface ProfileRule extends SeccompSyscall {
  readonly includes: RuleFilter;
  readonly excludes: RuleFilter;
}

export interface RuleFilter {
  readonly caps: readonly string[];
  readonly arches: readonly string[];
  /** `4.8`. */
  readonly minKernel?: string;
}

export interface SeccompTarget {
  /** Go's name: `amd64`. */
  readonly architecture: string;
  readonly kernel: readonly [major: number, minor: number];
  readonly capabilities: ReadonlySet<string>;
}

/** Go architecture to libseccomp's. */
const ARCHITECTURE: Readonly<Record<string, string>> = {
  amd64: "SCMP_ARCH_X86_64",
  "386": "SCMP_ARCH_X86",
  arm64: "SCMP_ARCH_AARCH64",
  arm: "SCMP_ARCH_ARM",
  ppc64le: "SCMP_ARCH_PPC64LE",
  riscv64: "SCMP_ARCH_RISCV64",
  s390x: "SCMP_ARCH_S390X",
  loong64: "SCMP_ARCH_LOONGARCH64",
};

/** crun(1): a compiled filter for the process, in base64; the rules beside it are then not compiled again. */
export const FILTER_ANNOTATION = "run.oci.seccomp_bpf_data";

/** Docker's default profile; see README.md beside it for its source. */
export const DEFAULT_SECCOMP: SeccompProfile = decodeSeccompProfile(defaultProfile);

/** Reads a profile in Docker's JSON form. @throws {EngineError} invalid naming the field. */
export function decodeSeccompProfile(value: unknown): SeccompProfile {
  const fields = new Fields(value, "seccomp profile");
  const errno = fields.integer("defaultErrnoRet");
  const flags = fields.strings("flags");
  return {
    defaultAction: fields.required("defaultAction", fields.string("defaultAction")),
    ...(errno !== undefined && { defaultErrnoRet: errno }),
    architectures: fields.strings("architectures") ?? [],
    archMap:
      fields.list("archMap", (entry, path) => {
        const map = new Fields(entry, path);
        return {
          architecture: map.string("architecture") ?? "",
          subArchitectures: map.strings("subArchitectures") ?? [],
        };
      }) ?? [],
    ...(flags && { flags }),
    syscalls: fields.list("syscalls", decodeRule) ?? [],
  };
}

/** The rules that hold for `target`, in the runtime specification's form. moby/profiles seccomp/seccomp_linux.go. */
export function resolveSeccomp(profile: SeccompProfile, target: SeccompTarget): SpecSeccomp {
  const native = ARCHITECTURE[target.architecture];
  const mapped = profile.archMap.find((entry) => entry.architecture === native);
  const architectures = mapped ? [mapped.architecture, ...mapped.subArchitectures] : profile.architectures;
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet !== undefined && { defaultErrnoRet: profile.defaultErrnoRet }),
    ...(architectures.length > 0 && { architectures }),
    ...(profile.flags && { flags: profile.flags }),
    syscalls: profile.syscalls
      .filter((rule) => holds(rule, target))
      .map(({ names, action, errnoRet, args }) => ({
        names,
        action,
        ...(errnoRet !== undefined && { errnoRet }),
        ...(args && { args }),
      })),
  };
}

function holds({ includes, excludes }: ProfileRule, target: SeccompTarget): boolean {
  if (includes.arches.length > 0 && !includes.arches.includes(target.architecture)) return false;
  if (!includes.caps.every((name) => target.capabilities.has(name))) return false;
  if (includes.minKernel && !isAtLeast(target.kernel, includes.minKernel)) return false;
  if (excludes.arches.includes(target.architecture)) return false;
  if (excludes.caps.some((name) => target.capabilities.has(name))) return false;
  return !(excludes.minKernel && isAtLeast(target.kernel, excludes.minKernel));
}

function isAtLeast([major, minor]: readonly [number, number], wanted: string): boolean {
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function decodeRule(value: unknown, path: string): ProfileRule {
  const fields = new Fields(value, path);
  const name = fields.string("name");
  const errnoRet = fields.integer("errnoRet");
  const args = fields.list("args", decodeArgument);
  return {
    names: name ? [name] : (fields.strings("names") ?? []),
    action: fields.required("action", fields.string("action")),
    ...(errnoRet !== undefined && { errnoRet }),
    ...(args && args.length > 0 && { args }),
    includes: decodeFilter(fields.object("includes")),
    excludes: decodeFilter(fields.object("excludes")),
  };
}

function decodeArgument(value: unknown, path: string): SeccompArgument {
  const fields = new Fields(value, path);
  const valueTwo = fields.integer("valueTwo");
  return {
    index: fields.integer("index") ?? 0,
    value: fields.integer("value") ?? 0,
    ...(valueTwo !== undefined && { valueTwo }),
    op: fields.required("op", fields.string("op")),
  };
}

function decodeFilter(fields: Fields): RuleFilter {
  const minKernel = fields.string("minKernel");
  return {
    caps: fields.strings("caps") ?? [],
    arches: fields.strings("arches") ?? [],
    ...(minKernel && { minKernel }),
  };
}
