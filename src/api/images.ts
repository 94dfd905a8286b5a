import type { HealthConfig, PortSet } from "./containers.ts";

// Engine API v1.55, images.

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string | undefined;
  readonly "os.features"?: readonly string[] | undefined;
  readonly variant?: string | undefined;
}

/** An OCI descriptor as the API writes it. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly urls?: readonly string[] | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly data?: string | undefined;
  readonly platform?: Platform | undefined;
  readonly artifactType?: string | undefined;
}

/** One manifest of an image with several, when `manifests=1` asks for it. */
export interface ImageManifestSummary {
  readonly ID: string;
  readonly Descriptor: Descriptor;
  readonly Available: boolean;
  readonly Size: { readonly Total: number; readonly Content: number };
  readonly Kind: "image" | "attestation" | "unknown";
  readonly ImageData?:
    | {
        readonly Platform: Platform;
        readonly Containers: readonly string[];
        readonly Size: { readonly Unpacked: number };
      }
    | undefined;
  readonly AttestationData?: { readonly For: string } | undefined;
}

/** `GET /images/json` is a list of these. */
export interface ImageSummary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Epoch seconds. */
  readonly Created: number;
  readonly Size: number;
  /** -1: not computed. */
  readonly SharedSize: number;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** -1: not computed. */
  readonly Containers: number;
  readonly Manifests?: readonly ImageManifestSummary[] | undefined;
  readonly Descriptor?: Descriptor | undefined;
}

/** `Config` of an image: the defaults it gives to its containers. Below API 1.52 empty fields are present too. */
export interface ImageRunConfig {
  readonly User?: string | undefined;
  readonly ExposedPorts?: PortSet | undefined;
  readonly Env?: readonly string[] | null | undefined;
  readonly Cmd?: readonly string[] | null | undefined;
  readonly Healthcheck?: HealthConfig | undefined;
  readonly ArgsEscaped?: boolean | undefined;
  readonly Volumes?: Readonly<Record<string, Readonly<Record<string, never>>>> | null | undefined;
  readonly WorkingDir?: string | undefined;
  readonly Entrypoint?: readonly string[] | null | undefined;
  readonly OnBuild?: readonly string[] | null | undefined;
  readonly Labels?: Readonly<Record<string, string>> | null | undefined;
  readonly StopSignal?: string | undefined;
  readonly Shell?: readonly string[] | undefined;
}

/** `GET /images/{name}/json` */
export interface ImageInspect {
  readonly Id: string;
  readonly Descriptor?: Descriptor | undefined;
  readonly Manifests?: readonly ImageManifestSummary[] | undefined;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  /** Gone from the schema since 1.52; written below it. */
  readonly Parent?: string | undefined;
  readonly Comment?: string | undefined;
  readonly Created?: string | undefined;
  readonly DockerVersion?: string | undefined;
  readonly Author?: string | undefined;
  readonly Config: ImageRunConfig | null;
  readonly Architecture: string;
  readonly Variant?: string | undefined;
  readonly Os: string;
  readonly OsVersion?: string | undefined;
  readonly Size: number;
  /** Below API 1.44 only. */
  readonly VirtualSize?: number | undefined;
  readonly GraphDriver?:
    | { readonly Name: string; readonly Data: Readonly<Record<string, string>> | null }
    | undefined;
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] | undefined };
  readonly Metadata: { readonly LastTagTime: string };
}

/** `GET /images/{name}/history` is a list of these, newest first. */
export interface ImageHistoryItem {
  /** `<missing>` for all but the top one. */
  readonly Id: string;
  /** Epoch seconds. */
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Tags: readonly string[] | null;
  readonly Size: number;
  readonly Comment: string;
}

/** `DELETE /images/{name}` answers a list of these; each has one of the two. */
export interface ImageDeleteItem {
  readonly Untagged?: string | undefined;
  readonly Deleted?: string | undefined;
}

/** One JSON line of pull, load, import and build. */
export interface ProgressMessage {
  /** The layer or image the line is about; lines without one are printed as they are. */
  readonly id?: string | undefined;
  readonly stream?: string | undefined;
  readonly status?: string | undefined;
  readonly progress?: string | undefined;
  readonly progressDetail?:
    | { readonly current?: number | undefined; readonly total?: number | undefined }
    | undefined;
  readonly error?: string | undefined;
  readonly errorDetail?: { readonly code?: number | undefined; readonly message: string } | undefined;
  /** Build: `{"ID": "sha256:…"}`; push: `{"Tag","Digest","Size"}`. */
  readonly aux?: unknown;
}

/** JSON of the `X-Registry-Auth` header, before base64url. */
export interface RegistryAuth {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly auth?: string | undefined;
  readonly email?: string | undefined;
  readonly serveraddress?: string | undefined;
  readonly identitytoken?: string | undefined;
  readonly registrytoken?: string | undefined;
}

/** `GET /images/search` is a list of these. */
export interface ImageSearchItem {
  readonly name: string;
  readonly description: string;
  readonly is_official: boolean;
  readonly is_automated?: boolean | undefined;
  readonly star_count: number;
}

/** `POST /images/prune` */
export interface ImagePruneReport {
  readonly ImagesDeleted: readonly ImageDeleteItem[] | null;
  readonly SpaceReclaimed: number;
}
