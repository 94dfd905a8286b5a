import { EngineError } from "#base/errors.ts";
import type {
  LinuxSpec,
  ProcessSpec,
  RuntimeSpec,
  SpecNamespace,
  SpecRlimit,
  SpecSeccomp,
} from "#oci/runtime-spec.ts";
import { resolveCapabilities } from "./capabilities.ts";
import { specDevices } from "./devices.ts";
import { type HostFacts, mayRaiseLimits } from "./host-facts.ts";
import { rootPropagation, specMounts } from "./mounts.ts";
import { DEFAULT_MASKED_PATHS, DEFAULT_READONLY_PATHS } from "./protected-paths.ts";
import { resourceLimits } from "./resources.ts";
import { DEFAULT_SECCOMP, FILTER_ANNOTATION, resolveSeccomp } from "./seccomp.ts";
import type { NamespaceChoice, SpecInput } from "./spec-input.ts";
import { specSysctls } from "./sysctls.ts";

export interface GeneratedSpec {
  readonly spec: RuntimeSpec;
  /** Limits of the host that took something from the wish: one sentence each, for the API's `Warnings`. */
  readonly warnings: readonly string[];
}

/**
 * The OCI specification of a container, with Docker's defaults. Nothing of an image but what `input` names reaches it:
 * no labels, no annotations, no hooks. moby daemon/oci_linux.go, daemon/pkg/oci/defaults.go.
 * @throws {EngineError} invalid
 */
export function generateSpec(input: SpecInput, host: HostFacts): GeneratedSpec {
  const warnings: string[] = [];
  const warn = (warning: string): void => void warnings.push(warning);
  const process = processSpec(input, host, warn);
  const sharesUts = input.namespaces?.uts === "host";
  const spec: RuntimeSpec = {
    ociVersion: "1.0.2",
    root: { path: input.rootfs, readonly: input.isRootReadOnly ?? false },
    process,
    ...(input.hostname && !sharesUts && { hostname: input.hostname }),
    ...(input.domainname && !sharesUts && { domainname: input.domainname }),
    mounts: specMounts(input, host),
    ...annotationsOf(input),
    linux: linuxSpec(input, host, {
      capabilities: process.capabilities?.bounding ?? [],
      warn,
    }),
  };
  return { spec, warnings };
}

/** @throws {EngineError} invalid for a key that nobody but the engine may write */
function annotationsOf({ annotations = {} }: SpecInput): Pick<RuntimeSpec, "annotations"> {
  if ("" in annotations) {
    throw new EngineError(
      "invalid",
      "invalid Annotations: the empty string is not permitted as an annotation key",
    );
  }
  if (FILTER_ANNOTATION in annotations) {
    throw new EngineError(
      "invalid",
      `invalid Annotations: ${FILTER_ANNOTATION} would replace the seccomp profile`,
    );
  }
  return Object.keys(annotations).length > 0 ? { annotations } : {};
}

/** The specification of a further process in a container made from `input` with other `changes`. */
export type ProcessInput = Pick<
  SpecInput,
  | "args"
  | "env"
  | "cwd"
  | "user"
  | "tty"
  | "consoleSize"
  | "capabilities"
  | "isPrivileged"
  | "noNewPrivileges"
  | "rlimits"
  | "oomScoreAdj"
  | "apparmor"
  | "init"
>;

/**
 * What runs, clamped to what the host allows. The inheritable and ambient sets are empty always (CVE-2022-24769).
 * @throws {EngineError} invalid
 */
export function processSpec(
  input: ProcessInput,
  host: HostFacts,
  warn: (warning: string) => void,
): ProcessSpec {
  const capabilities = capabilitiesOf(input, host, warn);
  const rlimits = (input.rlimits ?? []).map((limit) => clampRlimit(limit, host, warn));
  const { consoleSize } = input;
  return {
    terminal: input.tty,
    ...(consoleSize && { consoleSize: { height: consoleSize.rows, width: consoleSize.columns } }),
    user: { uid: input.user.uid, gid: input.user.gid, additionalGids: input.user.groups },
    args: input.init ? ["/sbin/docker-init", "--", ...commandOf(input)] : commandOf(input),
    env: input.env,
    cwd: checkCwd(input.cwd),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    ...(rlimits.length > 0 && { rlimits }),
    noNewPrivileges: input.noNewPrivileges ?? false,
    oomScoreAdj: clampOomScore(
      input.oomScoreAdj ?? 0,
      host,
      input.oomScoreAdj === undefined ? undefined : warn,
    ),
    ...(input.apparmor && host.hasAppArmor && !input.isPrivileged && { apparmorProfile: input.apparmor }),
  };
}

function commandOf({ args }: ProcessInput): readonly string[] {
  if (args.length === 0 || args[0] === "") throw new EngineError("invalid", "no command specified");
  return args;
}

/** A working directory that names a file descriptor could lead out of the container (CVE-2024-21626). */
function checkCwd(cwd: string): string {
  if (!cwd.startsWith("/")) {
    throw new EngineError(
      "invalid",
      `the working directory '${cwd}' is invalid, it needs to be an absolute path`,
    );
  }
  if (/^\/+proc\/.*\/fd(\/|$)/.test(cwd.replace(/\/+(\.\/+)*/g, "/"))) {
    throw new EngineError("invalid", `the working directory '${cwd}' is invalid, it names a file descriptor`);
  }
  return cwd;
}

function capabilitiesOf(input: ProcessInput, host: HostFacts, warn: (warning: string) => void): string[] {
  const isPrivileged = input.isPrivileged ?? false;
  const wanted = resolveCapabilities({ ...input.capabilities, isPrivileged });
  const missing = wanted.filter((name) => !host.capabilities.has(name));
  const isAsked = isPrivileged || (input.capabilities?.add?.length ?? 0) > 0;
  if (missing.length > 0 && isAsked) {
    warn(`The engine itself does not have ${missing.join(", ")}; the container goes without.`);
  }
  return wanted.filter((name) => host.capabilities.has(name));
}

function clampRlimit(limit: SpecRlimit, host: HostFacts, warn: (warning: string) => void): SpecRlimit {
  const ceiling = host.hardLimits.get(limit.type) ?? Infinity;
  const hard = limit.hard < 0 ? Infinity : limit.hard;
  if (mayRaiseLimits(host) || hard <= ceiling) return limit;
  warn(
    `Cannot set ${limit.type} to ${limit.soft}:${limit.hard}: the engine's own hard limit is ${ceiling}; it is used instead.`,
  );
  const soft = limit.soft < 0 ? Infinity : limit.soft;
  return { type: limit.type, soft: Math.min(soft, ceiling), hard: ceiling };
}

function clampOomScore(wanted: number, host: HostFacts, warn?: (warning: string) => void): number {
  if (wanted >= host.oomScoreAdj || mayRaiseLimits(host)) return wanted;
  warn?.(
    `Cannot set oom_score_adj to ${wanted}: the engine's own is ${host.oomScoreAdj} and it may not go below; it is used instead.`,
  );
  return host.oomScoreAdj;
}

function linuxSpec(
  input: SpecInput,
  host: HostFacts,
  { capabilities, warn }: { capabilities: readonly string[]; warn: (warning: string) => void },
): LinuxSpec {
  const { devices, rules } = specDevices(input, host);
  const sysctl = specSysctls(input);
  const seccomp = seccompOf(input, host, capabilities);
  const propagation = rootPropagation(input.mounts ?? []);
  const masks = pathMasks(input, host);
  return {
    namespaces: namespacesOf(input, host),
    cgroupsPath: input.cgroupPath,
    resources: { devices: rules, ...resourceLimits(input.resources ?? {}, host.cgroup, warn) },
    ...(devices.length > 0 && { devices }),
    ...masks,
    ...(Object.keys(sysctl).length > 0 && { sysctl }),
    ...(seccomp && { seccomp }),
    ...(propagation && { rootfsPropagation: propagation }),
  };
}

function pathMasks(
  input: SpecInput,
  host: HostFacts,
): { maskedPaths?: readonly string[]; readonlyPaths?: readonly string[] } {
  const maskedPaths =
    input.maskedPaths ?? (input.isPrivileged ? [] : [...DEFAULT_MASKED_PATHS, ...host.thermalPaths]);
  const readonlyPaths = input.readonlyPaths ?? (input.isPrivileged ? [] : DEFAULT_READONLY_PATHS);
  return {
    ...(maskedPaths.length > 0 && { maskedPaths }),
    ...(readonlyPaths.length > 0 && { readonlyPaths }),
  };
}

function seccompOf(
  input: SpecInput,
  host: HostFacts,
  capabilities: readonly string[],
): SpecSeccomp | undefined {
  const wanted = input.seccomp ?? (input.isPrivileged ? "unconfined" : "default");
  if (wanted === "unconfined") return undefined;
  return resolveSeccomp(wanted === "default" ? DEFAULT_SECCOMP : wanted, {
    architecture: host.architecture,
    kernel: host.kernel,
    capabilities: new Set(capabilities),
  });
}

function namespacesOf(input: SpecInput, host: HostFacts): SpecNamespace[] {
  const wish = input.namespaces ?? {};
  const cgroup = wish.cgroup ?? (host.cgroup.mode === "v2" ? "private" : "host");
  const choices: [SpecNamespace["type"], NamespaceChoice][] = [
    ["mount", "private"],
    ["network", wish.network ?? "private"],
    ["uts", wish.uts ?? "private"],
    ["pid", wish.pid ?? "private"],
    ["ipc", wish.ipc ?? "private"],
    ["cgroup", cgroup],
  ];
  return choices.flatMap(([type, choice]) => {
    if (choice === "host") return [];
    return [choice === "private" ? { type } : { type, path: choice.path }];
  });
}
