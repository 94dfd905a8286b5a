import { EngineError } from "#base/errors.ts";
import { checkVolumeName, cleanDestination, cleanPath, parseBind } from "./bind-spec.ts";
import type { ContainerConfig } from "./container-config.ts";
import type { HostConfig, MountRequest } from "./host-config.ts";
import { type MountPoint, plainMount } from "./mount-point.ts";

/** The mounts of another container, by what `VolumesFrom` calls it. @throws {EngineError} not-found */
export type FindMounts = (reference: string) => readonly MountPoint[];

/**
 * Everything a container mounts, in the order in which it is mounted: parents before what lies below them. Volumes
 * without a name are to be made. Precedence: `VolumesFrom`, then `Binds` and `Mounts` and `Tmpfs` (no two on one path),
 * then the volumes of the image and of `Config.Volumes` where nothing else is (Docker's daemon/volumes.go).
 *
 * @throws {EngineError} invalid, in Docker's words; not-found for an unknown container
 */
export function planMounts(config: ContainerConfig, host: HostConfig, findMounts: FindMounts): MountPoint[] {
  const inherited = (host.volumesFrom ?? []).flatMap((entry) => volumesFrom(entry, findMounts));
  const asked = [
    ...(host.binds ?? []).map((text) => bindMount(text, host.volumeDriver)),
    ...host.mounts.map(requestedMount),
    ...[...host.tmpfs].map(([path, options]) => tmpfsMount(path, options)),
  ];
  refuseDuplicates(asked);
  const byPath = new Map<string, MountPoint>();
  for (const mount of [...inherited, ...asked]) byPath.set(mount.destination ?? "", mount);
  for (const path of config.volumes) {
    const destination = cleanDestination(path, path);
    if (!byPath.has(destination)) byPath.set(destination, anonymousVolume(destination));
  }
  return mountOrder([...byPath.values()]);
}

/** Parents first; the order given among mounts of one depth. */
export function mountOrder(mounts: readonly MountPoint[]): MountPoint[] {
  const depth = ({ destination = "" }: MountPoint): number => destination.split("/").length;
  return mounts.toSorted((left, right) => depth(left) - depth(right));
}

function bindMount(text: string, volumeDriver = "local"): MountPoint {
  const { source, destination, mode, isWritable, propagation, noCopy } = parseBind(text);
  if (source.kind === "path") {
    return {
      ...plainMount("bind", destination),
      source: source.path,
      mode,
      isWritable,
      propagation: propagation ?? "rprivate",
      isLenient: true,
    };
  }
  if (source.name === undefined) return anonymousVolume(destination);
  return {
    ...plainMount("volume", destination),
    name: source.name,
    driver: volumeDriver,
    mode: mode || "z",
    isWritable,
    options: { ...NO_OPTIONS, noCopy },
  };
}

function requestedMount(request: MountRequest): MountPoint {
  const { type = "", target = "" } = request;
  const invalid = (reason: string): never => {
    throw new EngineError("invalid", `invalid mount config for type "${type}": ${reason}`);
  };
  if (target === "") return invalid("field Target must not be empty");
  if (!target.startsWith("/")) return invalid(`invalid mount path: '${target}' mount path must be absolute`);
  const destination = cleanPath(target);
  if (destination === "/") return invalid("invalid specification: destination can't be '/'");
  const extra = misplacedOptions(request);
  if (extra !== undefined) return invalid(`field ${extra} must not be specified`);
  switch (type) {
    case "bind":
      return requestedBind(request, destination, invalid);
    case "volume":
      return requestedVolume(request, destination);
    case "tmpfs":
      if (request.source !== undefined) return invalid("field Source must not be specified");
      return requestedTmpfs(request, destination);
    case "image":
      return requestedImage(request, destination, invalid);
    case "cluster":
      return invalid("cluster volumes need a swarm, and this engine has no swarm mode");
    default:
      throw new EngineError("invalid", `mount type unknown: "${type}"`);
  }
}

function requestedBind(
  { source, readOnly, bindOptions }: MountRequest,
  destination: string,
  invalid: (reason: string) => never,
): MountPoint {
  if (source === undefined) return invalid("field Source must not be empty");
  if (!source.startsWith("/")) return invalid(`invalid mount path: '${source}' mount path must be absolute`);
  if (bindOptions?.readOnlyForceRecursive && bindOptions.readOnlyNonRecursive) {
    return invalid("ReadOnlyNonRecursive and ReadOnlyForceRecursive are mutually exclusive");
  }
  return {
    ...plainMount("bind", destination),
    source: cleanPath(source),
    isWritable: !readOnly,
    propagation: bindOptions?.propagation ?? "rprivate",
    options: { ...NO_OPTIONS, ...bindOptions },
  };
}

/** Read-only: what a container would write into an image is lost with it. */
function requestedImage(
  { source, imageOptions }: MountRequest,
  destination: string,
  invalid: (reason: string) => never,
): MountPoint {
  if (source === undefined) return invalid("field Source must not be empty");
  const subpath = imageOptions?.subpath;
  if (subpath !== undefined && !isLocal(subpath)) {
    return invalid("subpath must be a relative path within the image");
  }
  return { ...plainMount("image", destination), source, subpath, isWritable: false };
}

function requestedVolume({ source, readOnly, volumeOptions }: MountRequest, destination: string): MountPoint {
  const driver = volumeOptions?.driverConfig?.name ?? "local";
  const subpath = volumeOptions?.subpath;
  if (subpath !== undefined && !isLocal(subpath)) {
    throw new EngineError(
      "invalid",
      `invalid mount config for type "volume": subpath must be a relative path within the volume`,
    );
  }
  return {
    ...plainMount("volume", destination),
    name: source === undefined ? undefined : checkVolumeName(source),
    driver,
    mode: "z",
    isWritable: !readOnly,
    isAnonymous: source === undefined,
    subpath,
    options: { ...NO_OPTIONS, noCopy: volumeOptions?.noCopy ?? false },
    volumeLabels: volumeOptions?.labels ?? new Map(),
    driverOptions: volumeOptions?.driverConfig?.options ?? new Map(),
  };
}

/** Go's `filepath.IsLocal`: neither absolute nor out of where it begins. */
function isLocal(path: string): boolean {
  if (path.startsWith("/") || path.includes("\0")) return false;
  let depth = 0;
  for (const part of path.split("/")) {
    if (part === "..") depth--;
    else if (part !== "" && part !== ".") depth++;
    if (depth < 0) return false;
  }
  return true;
}

function requestedTmpfs({ readOnly, tmpfsOptions }: MountRequest, destination: string): MountPoint {
  return {
    ...plainMount("tmpfs", destination),
    isWritable: !readOnly,
    tmpfsSizeBytes: tmpfsOptions?.sizeBytes,
    tmpfsMode: tmpfsOptions?.mode,
    tmpfsOptions: tmpfsOptions?.options.map((option) => option.join("=")),
  };
}

function tmpfsMount(path: string, options: string): MountPoint {
  const list = options === "" ? [] : options.split(",");
  const bad = list.find((option) => !/^[a-z_]+(=[A-Za-z0-9%.,:_-]+)?$/.test(option));
  if (bad !== undefined) throw new EngineError("invalid", `invalid tmpfs option ["${bad}"]`);
  return {
    ...plainMount("tmpfs", cleanDestination(path, path)),
    isWritable: !list.includes("ro"),
    tmpfsOptions: list,
  };
}

function volumesFrom(entry: string, findMounts: FindMounts): MountPoint[] {
  const colon = entry.lastIndexOf(":");
  const mode = colon < 0 ? "rw" : entry.slice(colon + 1);
  if (entry === "") throw new EngineError("invalid", "volumes-from specification cannot be an empty string");
  if (!/^(rw|ro|z|Z)(,(rw|ro|z|Z))*$/.test(mode)) throw new EngineError("invalid", `invalid mode: ${mode}`);
  return findMounts(colon < 0 ? entry : entry.slice(0, colon))
    .filter((mount) => mount.type !== "tmpfs")
    .map((mount) => ({
      ...mount,
      isWritable: mount.isWritable && !mode.split(",").includes("ro"),
      isAnonymous: false,
      options: mount.options && { ...mount.options, noCopy: true },
    }));
}

function anonymousVolume(destination: string): MountPoint {
  return { ...plainMount("volume", destination), driver: "local", isAnonymous: true };
}

function misplacedOptions(request: MountRequest): string | undefined {
  const present: [string, string, unknown][] = [
    ["bind", "BindOptions", request.bindOptions],
    ["volume", "VolumeOptions", request.volumeOptions],
    ["tmpfs", "TmpfsOptions", request.tmpfsOptions],
    ["image", "ImageOptions", request.imageOptions],
  ];
  return present.find(([type, , options]) => options !== undefined && type !== request.type)?.[1];
}

function refuseDuplicates(mounts: readonly MountPoint[]): void {
  const seen = new Set<string | undefined>();
  for (const { destination } of mounts) {
    if (seen.has(destination)) throw new EngineError("invalid", `Duplicate mount point: ${destination}`);
    seen.add(destination);
  }
}

const NO_OPTIONS = {
  noCopy: false,
  nonRecursive: false,
  createMountpoint: false,
  readOnlyNonRecursive: false,
  readOnlyForceRecursive: false,
};
