import {
  amount,
  type Decoded,
  flag,
  optionalInteger,
  optionalNested,
  shortText,
  text,
  textMap,
  texts,
} from "./field-table.ts";

const OPTIONS = {
  noCopy: flag("NoCopy"),
  nonRecursive: flag("NonRecursive"),
  createMountpoint: flag("CreateMountpoint"),
  readOnlyNonRecursive: flag("ReadOnlyNonRecursive"),
  readOnlyForceRecursive: flag("ReadOnlyForceRecursive"),
} as const;

/** The documents of a record's mounts: MountPoint of Engine API 1.56, and what a later start must know. */
export const MOUNT_POINT = {
  /** `bind`, `volume`, `tmpfs`, `image`. */
  type: text("Type"),
  /** Of a volume; the id of an image. */
  name: shortText("Name"),
  source: text("Source"),
  destination: text("Destination"),
  driver: shortText("Driver"),
  mode: text("Mode"),
  isWritable: flag("RW"),
  propagation: text("Propagation"),
  /** Made for this container alone, and removed with it when asked. */
  isAnonymous: flag("Anonymous"),
  /** Asked for by `Binds`: a missing source on the host is created. */
  isLenient: flag("Lenient"),
  options: optionalNested("Options", OPTIONS),
  tmpfsOptions: texts("TmpfsOptions", { absent: undefined }),
  tmpfsSizeBytes: amount("TmpfsSize"),
  tmpfsMode: optionalInteger("TmpfsMode", { absent: undefined }),
  /** Of a volume or an image: what of it is mounted. */
  subpath: shortText("Subpath"),
  /** Of an image: the snapshot that is mounted. */
  chainId: shortText("ChainID"),
  volumeLabels: textMap("VolumeLabels", { absent: undefined }),
  driverOptions: textMap("DriverOptions", { absent: undefined }),
} as const;

/** Something mounted into a container besides its root and the kernel's file systems. */
export type MountPoint = Decoded<typeof MOUNT_POINT>;

/** A mount of `destination` with nothing special about it. */
export function plainMount(type: "bind" | "volume" | "tmpfs" | "image", destination: string): MountPoint {
  return {
    type,
    name: undefined,
    source: undefined,
    destination,
    driver: undefined,
    mode: undefined,
    isWritable: true,
    propagation: undefined,
    isAnonymous: false,
    isLenient: false,
    options: undefined,
    tmpfsOptions: undefined,
    tmpfsSizeBytes: undefined,
    tmpfsMode: undefined,
    subpath: undefined,
    chainId: undefined,
    volumeLabels: new Map(),
    driverOptions: new Map(),
  };
}
