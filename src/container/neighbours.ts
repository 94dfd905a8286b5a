import type { ContainerId } from "#base/ids.ts";
import type { Descriptor } from "#oci/descriptor.ts";
import type { ChainId, Digest } from "#oci/digest.ts";
import type { ImageConfig } from "#oci/image-config.ts";
import type { Manifest } from "#oci/manifest.ts";
import type { Platform } from "#oci/platform.ts";
import type { LinuxResources, ProcessSpec, RuntimeSpec } from "#oci/runtime-spec.ts";

// What containers need of the other rooms, no more. The engine hands in the real things, tests small true ones.

/** Records of one kind, by id. */
export interface Documents {
  all(): { readonly id: string; readonly value: unknown }[];
  put(id: string, value: unknown): void;
  remove(id: string): void;
}

/** The image a container is made from, for one platform. */
export interface ContainerImage {
  readonly id: Digest;
  readonly target: Descriptor;
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly config: ImageConfig;
}

export interface Images {
  /** @throws {EngineError} not-found: `No such image: debian:latest` */
  resolve(nameOrId: string, platform?: Platform): ContainerImage;
  /** The id of what the name means now. */
  find(nameOrId: string): Pick<ContainerImage, "id" | "config"> | undefined;
  /** Ensures that the image's snapshots exist; the top one, `undefined` for an image without layers. */
  unpack(image: ContainerImage, signal: AbortSignal): Promise<ChainId | undefined>;
}

export interface Snapshots {
  prepare(key: string, parent: ChainId | undefined): Promise<void>;
  /** Mounts the active snapshot, writable, at `target`, which is made if need be. */
  mount(key: string, target: string): void;
  upperPath(key: string): string;
  /** Mounts a committed snapshot, read-only, at `target`, which exists. */
  mountView(chainId: ChainId, target: string): void;
  removeActive(key: string): Promise<void>;
  usage(key: string): Promise<{ readonly sizeBytes: number }>;
  /** Of a committed snapshot. */
  find(chainId: ChainId): { readonly sizeBytes: number; readonly parent?: ChainId | undefined } | undefined;
}

export interface Volume {
  readonly name: string;
  readonly driver: string;
  readonly labels: Readonly<Record<string, string>>;
}

export interface Volumes {
  create(options: VolumeRequest): Promise<Volume>;
  find(name: string): Volume | undefined;
  remove(name: string): Promise<void>;
  /** Its data folder on this host. */
  path(name: string): string;
  /** Whether its data are mounted read-only. */
  isReadOnly(name: string): boolean;
  /** Has its data there until `release`, should they be mounted from elsewhere. @throws {EngineError} internal */
  hold(name: string, holder: string): Promise<void>;
  /** All that `holder` holds. */
  release(holder: string): void;
  /**
   * Copies the directory `pathInRoot` of the tree below `root` into the volume, with owners, modes and attributes, the
   * directory's own included; does nothing when the volume holds something or the path is no directory.
   */
  populate(name: string, from: { readonly root: string; readonly pathInRoot: string }): Promise<void>;
}

export interface VolumeRequest {
  readonly name?: string;
  readonly driver?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  /** What a volume that nobody named is made for. */
  readonly origin?: {
    readonly container: ContainerId;
    readonly containerName: string;
    readonly image: string;
    readonly path: string;
  };
}

export type NetworkAttachMode = "bridge" | "host" | "none" | `container:${string}`;

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostIp?: string;
  /** Any free one when absent; with `hostPortEnd` the first free one of a range. */
  readonly hostPort?: number;
  readonly hostPortEnd?: number;
}

export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: "tcp" | "udp" | "sctp";
  readonly hostIp: string;
  readonly hostPort: number;
}

export interface Endpoint {
  readonly networkId: string;
  readonly networkName: string;
  readonly endpointId?: string;
  readonly ipv4?: string;
  readonly prefix?: number;
  readonly gateway?: string;
  readonly mac?: string;
  readonly ipv6?: string;
  readonly ipv6Prefix?: number;
  readonly ipv6Gateway?: string;
}

/** A container's place in the networks, from start to exit. */
export interface Sandbox {
  /** `undefined`: the host's own namespace. */
  readonly namespacePath?: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PortBinding[];
  /** Text of `/etc/resolv.conf`. */
  readonly resolvConf: string;
  /** What was its text before, of one that has joined a network since. */
  readonly formerResolvConf?: string;
}

/** What is asked of one network. */
export interface EndpointRequest {
  /** By name or id. */
  readonly network: string;
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocal?: readonly string[];
  readonly mac?: string;
  /** What the container is called there, the name it is shown under first. */
  readonly names?: readonly string[];
  /** Names that this container alone knows others by, to their ids. */
  readonly links?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  readonly gatewayPriority?: number;
}

export interface AttachRequest {
  readonly id: ContainerId;
  readonly mode: NetworkAttachMode;
  /** For people. */
  readonly name: string;
  /** In mode `bridge`. */
  readonly networks: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  readonly dns?: {
    readonly servers?: readonly string[];
    readonly search?: readonly string[];
    readonly options?: readonly string[];
  };
}

export interface NetworkFacts {
  readonly id: string;
  readonly name: string;
}

export interface Network {
  attach(request: AttachRequest, signal: AbortSignal): Promise<Sandbox>;
  /** Idempotent. */
  detach(id: ContainerId): Promise<void>;
  /** One that is attached joins one more network. */
  connect(id: ContainerId, request: EndpointRequest): Promise<Sandbox>;
  /** One that is attached leaves a network. */
  disconnect(id: ContainerId, network: string): Promise<Sandbox>;
  /** Makes nothing. @throws {EngineError} not-found for the network; invalid for what it can not do */
  check(request: EndpointRequest): NetworkFacts;
  rename(id: ContainerId, name: string): void;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** One client's view of a process's input and output. */
export interface Attachment extends AsyncDisposable {
  /** Ends when the process's output has ended. */
  readonly output: AsyncIterable<{ readonly stream: "stdout" | "stderr"; readonly data: Uint8Array }>;
  write(data: Uint8Array): Promise<void>;
  closeStdin(): void;
}

export interface ContainerExit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** Epoch milliseconds. */
  readonly finishedAt: number;
}

export interface RuntimeContainer {
  readonly id: string;
  readonly pid: number;
  readonly state: "created" | "running" | "exited";
  readonly exit?: ContainerExit;
}

export interface CreateInRuntime {
  readonly id: ContainerId;
  /** Awaited late: what the runtime can do without it is done meanwhile. */
  readonly spec: Promise<RuntimeSpec>;
  readonly log: { readonly path?: string };
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
}

export interface ExecInRuntime {
  readonly execId: string;
  readonly process: ProcessSpec;
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly detach: boolean;
  /** It is worth nothing to the next engine, which kills it. */
  readonly endsWithEngine?: boolean;
}

export interface RunningExec {
  readonly pid: number;
  readonly attachment?: Attachment | undefined;
  readonly exited: Promise<number>;
  /** Kills the process and what it has started. */
  kill(): void;
}

export interface ContainerRuntime {
  /** A process is about to be created: what can be made ready is. */
  anticipate(): void;
  /** Up to the point where only `start` is missing. */
  create(options: CreateInRuntime, signal: AbortSignal): Promise<{ readonly pid: number }>;
  start(id: ContainerId): Promise<void>;
  kill(id: ContainerId, signal: number): Promise<"sent" | "gone">;
  pause(id: ContainerId): Promise<void>;
  resume(id: ContainerId): Promise<void>;
  attach(id: ContainerId, options: { readonly stdin: boolean }): Promise<Attachment>;
  resize(id: ContainerId, size: TerminalSize): void;
  /** Has the log, which has a second name by then, go on in a new file; false when nobody writes it any more. */
  reopenLog(id: ContainerId): boolean;
  /** Idempotent. */
  delete(id: ContainerId): Promise<void>;
  exec(id: ContainerId, options: ExecInRuntime): Promise<RunningExec>;
  resizeExec(id: ContainerId, execId: string, size: TerminalSize): void;
  /** All processes of a running container. */
  processes(id: ContainerId): readonly number[];
  /** Gives a running container other limits; those that are absent stay. */
  update(id: ContainerId, limits: LinuxResources): Promise<void>;
  /** For every container created or recovered; all its log is written when it resolves. */
  exited(id: ContainerId): Promise<ContainerExit>;
  recover(): Promise<readonly RuntimeContainer[]>;
}

/** A tree whose paths are resolved inside it, whatever links it holds. */
export interface ContainerRoot extends Disposable {
  readFile(path: string, maxBytes: number): Uint8Array;
  find(path: string, options?: { follow?: boolean }): { readonly type: string } | undefined;
  mkdirAll(path: string, options: { mode: number; uid: number; gid: number }): void;
  symlink(target: string, path: string): void;
  createFile(path: string, mode: number): number;
  /** Links are followed, inside the tree. The caller closes. */
  openFollowing(path: string, flags: number): number;
}

/** The part of the door to the kernel that containers use. */
export interface Host {
  openRoot(path: string): ContainerRoot;
  mount(options: {
    readonly source: string;
    readonly target: string;
    readonly type?: string;
    readonly flags?: number;
    readonly data?: string;
  }): void;
  unmount(target: string, flags?: number): void;
  /** `tags` say how mounts spread: `shared:1`, `master:2`. */
  mounts(): readonly { readonly target: string; readonly tags: readonly string[] }[];
}
