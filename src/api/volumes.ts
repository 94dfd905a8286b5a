// Engine API v1.55, volumes.

/** A volume, in inspect and list. */
export interface VolumeDocument {
  readonly CreatedAt: string;
  readonly Driver: string;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly Mountpoint: string;
  readonly Name: string;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Scope: "local" | "global";
  /** Of a volume that nobody named: the container it was made for, which may be gone, and where that had it. Our own. */
  readonly Status?: {
    readonly Container: string;
    readonly ContainerName: string;
    readonly Image: string;
    readonly Path: string;
  };
  /** Where `system df` measured it. */
  readonly UsageData?: { readonly Size: number; readonly RefCount: number } | null | undefined;
}

/** `GET /volumes`. */
export interface VolumeList {
  readonly Volumes: readonly VolumeDocument[] | null;
  readonly Warnings: readonly string[] | null;
}

/** `POST /volumes/create`. */
export interface VolumeCreateRequest {
  /** 64 hex characters when empty. */
  readonly Name?: string | undefined;
  readonly Driver?: string | undefined;
  readonly DriverOpts?: Readonly<Record<string, string>> | undefined;
  readonly Labels?: Readonly<Record<string, string>> | undefined;
}

/** `POST /volumes/prune`. */
export interface VolumePruneReport {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
