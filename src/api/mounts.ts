// Engine API v1.55, mounts: as asked for (`Mount`) and as they are (`MountPoint`).

export type MountType = "bind" | "volume" | "tmpfs" | "image" | "npipe" | "cluster";

/** One `--mount`. */
export interface Mount {
  readonly Type: MountType;
  readonly Source?: string | undefined;
  readonly Target: string;
  readonly ReadOnly?: boolean | undefined;
  readonly Consistency?: string | undefined;
  readonly BindOptions?: BindOptions | undefined;
  readonly VolumeOptions?: VolumeOptions | undefined;
  readonly ImageOptions?: { readonly Subpath?: string | undefined } | undefined;
  readonly TmpfsOptions?: TmpfsOptions | undefined;
}

export interface BindOptions {
  readonly Propagation?: string | undefined;
  readonly NonRecursive?: boolean | undefined;
  readonly CreateMountpoint?: boolean | undefined;
  readonly ReadOnlyNonRecursive?: boolean | undefined;
  readonly ReadOnlyForceRecursive?: boolean | undefined;
}

export interface VolumeOptions {
  readonly NoCopy?: boolean | undefined;
  readonly Labels?: Readonly<Record<string, string>> | undefined;
  readonly DriverConfig?:
    | { readonly Name?: string | undefined; readonly Options?: Readonly<Record<string, string>> | undefined }
    | undefined;
  readonly Subpath?: string | undefined;
}

export interface TmpfsOptions {
  readonly SizeBytes?: number | undefined;
  /** Permission bits as a decimal number. */
  readonly Mode?: number | undefined;
  readonly Options?: readonly (readonly string[])[] | undefined;
}

/** A mount as it is, in inspect and list. */
export interface MountPoint {
  readonly Type: MountType;
  readonly Name?: string | undefined;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string | undefined;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}
