import { mkdirSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import type { EngineEvent } from "#base/event.ts";
import type { ContainerId } from "#base/ids.ts";
import { silentLogger } from "#base/log.ts";
import { type ChainId, digestOf } from "#oci/digest.ts";
import type { LinuxResources } from "#oci/runtime-spec.ts";
import type { HostFacts } from "#runtime/spec/host-facts.ts";
import { Containers } from "../containers.ts";
import type {
  Attachment,
  ContainerExit,
  ContainerImage,
  ContainerRuntime,
  CreateInRuntime,
  Documents,
  Host,
  Network,
  RunningExec,
  RuntimeContainer,
  Snapshots,
  Volume,
  Volumes,
} from "../neighbours.ts";
import type { Meter } from "../usage.ts";

const FACTS: HostFacts = {
  architecture: "amd64",
  kernel: [6, 18],
  capabilities: new Set(),
  hardLimits: new Map(),
  oomScoreAdj: 0,
  cgroup: { mode: "v2", controllers: new Set(["cpu", "memory", "pids"]), hasSwapLimit: true },
  thermalPaths: [],
  devices: [],
  hasAppArmor: false,
};

/** What other rooms hold for containers: a test looks whether something was left behind. */
export interface Holdings {
  readonly snapshots: string[];
  readonly volumes: string[];
  readonly mounts: string[];
  readonly attached: string[];
  readonly running: string[];
}

/** A step of another room that a test lets fail or makes wait. */
export type Step =
  | "prepare"
  | "mount"
  | "volume"
  | "populate"
  | "attach"
  | "create"
  | "start"
  | "delete"
  | "removeActive"
  | "put"
  | "update";

export interface SmallWorld extends Disposable {
  readonly containers: Containers;
  readonly events: EngineEvent[];
  /** Steps of other rooms in their order, `delete 0f3c…`. */
  readonly steps: string[];
  /** Limits that running containers were given, in their order. */
  readonly limits: readonly LinuxResources[];
  holdings(): Holdings;
  /** Fails the next time; `undefined` lets it pass again. */
  fail(step: Step, error: Error | undefined): void;
  /** Holds the next time of the step until the returned function is called. */
  hold(step: Step): () => void;
  /** The clock, which else stands at 1,000,000 ms, goes on. */
  advance(ms: number): void;
  /** The process of a container ends. */
  exit(id: string, exitCode: number): void;
  /** A new engine on the same records; processes are as `running` says. */
  restarted(running: readonly RuntimeContainer[]): Promise<Containers>;
}

/** Containers above small true rooms in memory: mounts, networks and processes are held until they are given back. */
export async function openSmallWorld(): Promise<SmallWorld> {
  const folder = mkdtempSync(join(tmpdir(), "darse-small-"));
  const gate = new Gate();
  let now = 1_000_000;
  const documents = memoryDocuments(gate);
  const events: EngineEvent[] = [];
  const runtime = new MemoryRuntime(gate);
  const rooms = memoryRooms(folder, gate);
  const open = (): Containers =>
    Containers.open({
      ...rooms,
      documents,
      runtime,
      facts: FACTS,
      meter: memoryMeter(),
      listProcesses: async (_options, pids) => ({ titles: ["PID"], rows: pids.map((pid) => [String(pid)]) }),
      folders: { state: join(folder, "containers"), run: join(folder, "run") },
      emit: (event) => void events.push(event),
      clock: () => now,
      log: silentLogger,
      cpuCount: 2,
    });
  const containers = open();
  await containers.recover(async () => undefined);
  return {
    containers,
    events,
    steps: gate.steps,
    limits: runtime.limits,
    holdings: () => ({ ...rooms.holdings(), running: runtime.ids() }),
    fail: (step, error) => gate.fail(step, error),
    hold: (step) => gate.hold(step),
    advance: (ms) => void (now += ms),
    exit: (id, exitCode) => runtime.exit(id, { exitCode, oomKilled: false, finishedAt: 1_000_000 }),
    async restarted(running) {
      runtime.recovered = running;
      const next = open();
      await next.recover(async () => undefined);
      return next;
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Where a test steps between the rooms. */
class Gate {
  readonly steps: string[] = [];
  readonly #failures = new Map<Step, Error>();
  readonly #holds = new Map<Step, Promise<void>>();

  fail(step: Step, error: Error | undefined): void {
    if (error) this.#failures.set(step, error);
    else this.#failures.delete(step);
  }

  hold(step: Step): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holds.set(step, promise);
    return resolve;
  }

  passNow(step: Step): void {
    this.steps.push(step);
    const failure = this.#failures.get(step);
    if (failure) throw failure;
  }

  async pass(step: Step): Promise<void> {
    this.passNow(step);
    const held = this.#holds.get(step);
    this.#holds.delete(step);
    await held;
  }
}

class MemoryRuntime implements ContainerRuntime {
  readonly #gate: Gate;
  readonly #containers = new Map<string, PromiseWithResolvers<ContainerExit>>();
  recovered: readonly RuntimeContainer[] = [];
  readonly limits: LinuxResources[] = [];

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  ids(): string[] {
    return [...this.#containers.keys()];
  }

  exit(id: string, exit: ContainerExit): void {
    this.#containers.get(id)?.resolve(exit);
  }

  anticipate(): void {
    // nothing takes time here
  }

  async create({ id, spec }: CreateInRuntime): Promise<{ pid: number }> {
    await spec;
    await this.#gate.pass("create");
    this.#containers.set(id, Promise.withResolvers());
    return { pid: 42 };
  }

  async start(): Promise<void> {
    await this.#gate.pass("start");
  }

  async kill(id: ContainerId, signal: number): Promise<"sent" | "gone"> {
    if (signal === 9 || signal === 15)
      this.exit(id, { exitCode: 128 + signal, oomKilled: false, finishedAt: 1_000_000 });
    return "sent";
  }

  async pause(): Promise<void> {
    await Promise.resolve();
  }

  async resume(): Promise<void> {
    await Promise.resolve();
  }

  async attach(): Promise<Attachment> {
    throw new EngineError("conflict", "nothing to attach to");
  }

  reopenLog(): boolean {
    return false;
  }

  resize(): void {
    this.#gate.steps.push("resize");
  }

  async delete(id: ContainerId): Promise<void> {
    await this.#gate.pass("delete");
    this.#containers.delete(id);
  }

  async exec(): Promise<RunningExec> {
    return { pid: 43, exited: Promise.resolve(0), kill: () => undefined };
  }

  resizeExec(): void {
    this.#gate.steps.push("resizeExec");
  }

  processes(): readonly number[] {
    return [42, 43];
  }

  async update(_id: ContainerId, limits: LinuxResources): Promise<void> {
    await this.#gate.pass("update");
    this.limits.push(limits);
  }

  async exited(id: ContainerId): Promise<ContainerExit> {
    const container = this.#containers.get(id);
    if (container === undefined) throw new Error(`no container ${id}`);
    return await container.promise;
  }

  async recover(): Promise<readonly RuntimeContainer[]> {
    this.#containers.clear();
    for (const { id } of this.recovered) this.#containers.set(id, Promise.withResolvers());
    return this.recovered;
  }
}

/** Ever more is used, a second of it a look. */
function memoryMeter(): Meter {
  let looks = 0;
  return {
    cgroup: () => ({
      cpu: {
        totalNs: ++looks * 1e9,
        kernelNs: 0,
        userNs: 0,
        periods: 0,
        throttledPeriods: 0,
        throttledNs: 0,
      },
      memory: { usageBytes: 10, details: new Map() },
      pids: { count: 1 },
      blockIo: { bytes: [] },
    }),
    links: () => new Map(),
    host: () => ({ cpuNs: looks * 2e9, onlineCpus: 2, memoryBytes: 100 }),
  };
}

function memoryDocuments(gate: Gate): Documents {
  const documents = new Map<string, string>();
  return {
    all: () => [...documents].map(([id, text]) => ({ id, value: JSON.parse(text) as unknown })),
    put(id, value) {
      gate.passNow("put");
      documents.set(id, JSON.stringify(value));
    },
    remove: (id) => void documents.delete(id),
  };
}

interface MemoryRooms {
  readonly images: {
    resolve(name: string): ContainerImage;
    find(name: string): ContainerImage | undefined;
    unpack(): Promise<ChainId | undefined>;
  };
  readonly snapshots: Snapshots;
  readonly volumes: Volumes;
  readonly network: Network;
  readonly host: Host;
  holdings(): Omit<Holdings, "running">;
}

function memoryRooms(folder: string, gate: Gate): MemoryRooms {
  const snapshots = new Set<string>();
  const mounts = new Set<string>();
  const attached = new Set<string>();
  const volumes = new Map<string, Volume>();
  return {
    images: memoryImages(),
    snapshots: {
      async prepare(key) {
        await gate.pass("prepare");
        snapshots.add(key);
      },
      mount(_key, target) {
        gate.passNow("mount");
        mkdirSync(target, { recursive: true });
        mounts.add(target);
      },
      upperPath: (key) => `/upper/${key}`,
      mountView: (_chainId, target) => void mounts.add(target),
      async removeActive(key) {
        await gate.pass("removeActive");
        snapshots.delete(key);
      },
      usage: async () => ({ sizeBytes: 10 }),
      find: () => undefined,
    },
    volumes: memoryVolumes(volumes, gate),
    network: {
      async attach({ id, ports }) {
        await gate.pass("attach");
        attached.add(id);
        const bound = ports.map(({ containerPort, protocol, hostPort = 49_000 }) => ({
          containerPort,
          protocol,
          hostIp: "0.0.0.0",
          hostPort,
        }));
        return { namespacePath: `/netns/${id}`, endpoints: [], ports: bound, resolvConf: "" };
      },
      connect: async () => ({ endpoints: [], ports: [], resolvConf: "" }),
      disconnect: async () => ({ endpoints: [], ports: [], resolvConf: "" }),
      check({ network }) {
        if (!["bridge", "host", "none"].includes(network)) {
          throw new EngineError("not-found", `network ${network} not found`);
        }
        return { id: network, name: network };
      },
      rename: () => undefined,
      async detach(id) {
        gate.steps.push("detach");
        attached.delete(id);
      },
    },
    host: {
      openRoot: () => ({
        readFile: () => new Uint8Array(),
        find: (path) => (path === "/data" ? { type: "directory" } : undefined),
        mkdirAll: () => undefined,
        symlink: () => undefined,
        createFile: () => openSync("/dev/null", "w"),
        openFollowing: () => openSync("/dev/null", "r"),
        [Symbol.dispose]: () => undefined,
      }),
      mount: ({ target }) => void mounts.add(target),
      unmount: (target) => {
        gate.steps.push("unmount");
        mounts.delete(target);
      },
      mounts: () => [...mounts].map((target) => ({ target, tags: [] })),
    },
    holdings: () => ({
      snapshots: [...snapshots],
      volumes: [...volumes.keys()],
      mounts: [...mounts].map((target) => target.slice(folder.length)),
      attached: [...attached],
    }),
  };
}

function memoryVolumes(volumes: Map<string, Volume>, gate: Gate): Volumes {
  return {
    async create({ name = digestOf(String(volumes.size)).slice(7), labels = {} }) {
      await gate.pass("volume");
      const volume = { name, driver: "local", labels };
      volumes.set(name, volume);
      return volume;
    },
    find: (name) => volumes.get(name),
    remove: async (name) => void volumes.delete(name),
    path: (name) => `/volumes/${name}/_data`,
    isReadOnly: () => false,
    hold: async (name) => {
      gate.steps.push(`hold ${name}`);
      await Promise.resolve();
    },
    release: () => void gate.steps.push("release"),
    populate: async () => await gate.pass("populate"),
  };
}

function memoryImages(): MemoryRooms["images"] {
  const id = digestOf("busybox");
  const image: ContainerImage = {
    id,
    target: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: id, size: 1 },
    manifest: {
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: { mediaType: "", digest: id, size: 1 },
      layers: [],
    },
    manifestDigest: id,
    config: {
      platform: { os: "linux", architecture: "amd64" },
      config: { cmd: ["sh"] },
      diffIds: [],
      history: [],
    },
  };
  return {
    resolve(name) {
      if (name === "busybox") return image;
      throw new EngineError("not-found", `No such image: ${name}`);
    },
    find: (name) => (name === "busybox" ? image : undefined),
    unpack: async () => undefined,
  };
}
