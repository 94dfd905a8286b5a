import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { EngineError } from "#base/errors.ts";
import type { EngineEvent } from "#base/event.ts";
import { silentLogger } from "#base/log.ts";
import { listProcesses } from "#linux/process-table/process-table.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { UsageMeter } from "#linux/usage/usage-meter.ts";
import { NetworkManager } from "#network/network-manager.ts";
import { type ChainId, chainIds, digestOf, type DiffId, parseDiffId } from "#oci/digest.ts";
import { hostPlatform } from "#oci/platform.ts";
import { readHostFacts } from "#runtime/read-host-facts.ts";
import { Runtime } from "#runtime/runtime.ts";
import { openDatabase } from "#store/metadata/database.ts";
import { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import { VolumeStore } from "#store/volume/volume-store.ts";
import { Containers } from "../containers.ts";
import type { ContainerImage, Images } from "../neighbours.ts";

const APPLETS = [
  "sh",
  "true",
  "false",
  "echo",
  "cat",
  "sleep",
  "id",
  "ls",
  "touch",
  "head",
  "seq",
  "stty",
  "printf",
  "hostname",
  "env",
  "kill",
  "dd",
  "mount",
  "stat",
  "chmod",
  "readlink",
];

/** Builds one layer in `root`. */
export type BuildLayer = (root: string) => void;

export interface RealEngine extends AsyncDisposable {
  readonly containers: Containers;
  readonly events: EngineEvent[];
  readonly folder: string;
  /** Targets below our folders that are mounted now. */
  mounts(): string[];
  /** A new engine on the same disk, as after `kill -9`: nothing of this one was closed. */
  reopen(): Promise<RealEngine>;
  /** An image called `name` of one layer. */
  addImage(name: string, build: BuildLayer, config?: ContainerImage["config"]["config"]): Promise<void>;
}

/** busybox with its applets, an account file and a folder with something in it. */
export function busyboxLayer(root: string): void {
  for (const folder of ["bin", "etc", "tmp", "data"]) mkdirSync(join(root, folder));
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const applet of APPLETS) symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\napp:x:1000:\nextra:x:2000:app\n");
  writeFileSync(join(root, "data/seed"), "seed\n");
  writeFileSync(join(root, "bin/noexec"), "no\n", { mode: 0o644 });
}

/** Containers with every real room below them, in folders of their own. Disposing ends what still runs. */
export async function openRealEngine(folder = mkdtempSync(join(tmpdir(), "dc-"))): Promise<RealEngine> {
  const kernel = openKernel();
  const database = openDatabase(join(folder, "darse.db"));
  const root = join(folder, "root");
  const run = join(folder, "run");
  const log = silentLogger;
  for (const path of [root, run]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const snapshots = OverlaySnapshotter.open({
    root: join(root, "snapshots"),
    records: database.documents("snapshots"),
    kernel,
    log,
  });
  const volumes = VolumeStore.open({
    root: join(root, "volumes"),
    records: database.documents("volumes"),
    kernel,
    log,
  });
  const network = NetworkManager.open({
    kernel,
    database,
    runDirectory: run,
    log,
    bridge: `dc${process.pid % 100000}`,
  });
  const runtime = Runtime.open({ runDirectory: run, kernel, log });
  const images = new FixtureImages(snapshots);
  const events: EngineEvent[] = [];
  const containers = Containers.open({
    documents: database.documents("containers"),
    images,
    snapshots,
    volumes,
    network,
    runtime,
    host: kernel,
    facts: readHostFacts(kernel),
    meter: new UsageMeter(kernel.mounts()),
    listProcesses,
    folders: { state: join(root, "containers"), run: join(run, "containers") },
    emit: (event) => void events.push(event),
    clock: systemClock,
    log,
    cpuCount: cpus().length,
  });
  await containers.recover(async ({ live, known }) => {
    await snapshots.recover(known);
    await network.recover(live);
  });
  await images.add("busybox", busyboxLayer, { cmd: ["sh"], env: ["PATH=/bin"] });
  return {
    containers,
    events,
    folder,
    mounts: () =>
      kernel
        .mounts()
        .map(({ target }) => target)
        .filter((target) => target.startsWith(folder)),
    reopen: () => openRealEngine(folder),
    addImage: (name, build, config = { cmd: ["sh"], env: ["PATH=/bin"] }) => images.add(name, build, config),
    async [Symbol.asyncDispose]() {
      for (const { id } of containers.list({ all: true, filters: new Map() })) {
        await containers.remove(id, { force: true, removesVolumes: true });
      }
      await containers.close();
      await network.teardownIfIdle();
      await network.close();
      await snapshots[Symbol.asyncDispose]();
      await volumes[Symbol.asyncDispose]();
      database[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Images of one layer each, unpacked already. */
class FixtureImages implements Images {
  readonly #snapshots: OverlaySnapshotter;
  readonly #images = new Map<string, ContainerImage & { readonly chainId: ChainId }>();

  constructor(snapshots: OverlaySnapshotter) {
    this.#snapshots = snapshots;
  }

  async add(name: string, build: BuildLayer, config: ContainerImage["config"]["config"]): Promise<void> {
    const diffId: DiffId = parseDiffId(digestOf(`layer of ${name}`));
    const [chainId] = chainIds([diffId]);
    if (chainId === undefined) throw new Error("no chain id");
    if (this.#snapshots.find(chainId) === undefined) {
      await using draft = await this.#snapshots.draft();
      build(draft.path);
      await draft.commit({ chainId, diffId, sizeBytes: 1, parent: undefined });
    }
    const id = digestOf(`image ${name}`);
    const target = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: id, size: 1 };
    const image = { platform: hostPlatform(), config, diffIds: [diffId], history: [] };
    this.#images.set(name, {
      id,
      target,
      manifest: { mediaType: target.mediaType, config: target, layers: [] },
      manifestDigest: id,
      config: image,
      chainId,
    });
  }

  resolve(name: string): ContainerImage {
    const image = this.#images.get(name);
    if (image === undefined) throw new EngineError("not-found", `No such image: ${name}`);
    return image;
  }

  find(name: string): ContainerImage | undefined {
    return this.#images.get(name);
  }

  async unpack({ id }: ContainerImage): Promise<ChainId | undefined> {
    return [...this.#images.values()].find((image) => image.id === id)?.chainId;
  }
}
