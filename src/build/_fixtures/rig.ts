import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "#base/clock.ts";
import { silentLogger } from "#base/log.ts";
import { ImageStore } from "#image/image-store.ts";
import type { Image } from "#image/image.ts";
import { MNT_DETACH } from "#linux/constants.ts";
import type { Kernel } from "#linux/kernel.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { NetworkManager } from "#network/network-manager.ts";
import { chainIds } from "#oci/digest.ts";
import { hostPlatform } from "#oci/platform.ts";
import { canonicalReference } from "#oci/reference.ts";
import { readHostFacts } from "#runtime/read-host-facts.ts";
import { Runtime } from "#runtime/runtime.ts";
import { ContentStore } from "#store/content/content-store.ts";
import { applyLayer } from "#store/layer/apply.ts";
import { writeLayer } from "#store/layer/diff.ts";
import { layout } from "#store/layout.ts";
import { openDatabase } from "#store/metadata/database.ts";
import { OverlaySnapshotter } from "#store/snapshot/overlay-snapshotter.ts";
import { type ContextFiles, contextTar } from "./context-tar.ts";
import type { BuildRequest } from "../build-request.ts";
import { Builder } from "../builder.ts";
import { applyChanges } from "../changes.ts";

export interface RigOptions extends Partial<Omit<BuildRequest, "tags" | "buildArgs" | "labels">> {
  readonly tag?: string;
  readonly args?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly signal?: AbortSignal;
}

export interface RigBuild {
  readonly image: Image;
  /** All that the person who builds was told. */
  readonly text: string;
}

const APPLETS =
  "sh cat ls echo mkdir touch rm ln id stat sleep env pwd chmod chown grep cp mv head wc test true false ip hostname sort find";

/** A small root file system: a static busybox and its names. */
function busyboxTar(): AsyncIterable<Uint8Array> {
  const binary = readFileSync("/bin/busybox");
  const directory = { type: "directory", mode: 0o755, uid: 0, gid: 0 } as const;
  return contextTar({
    bin: directory,
    "bin/busybox": { body: binary, mode: 0o755, uid: 0, gid: 0 },
    ...Object.fromEntries(
      APPLETS.split(" ").map((name) => [
        `bin/${name}`,
        { type: "symlink", linkName: "busybox", uid: 0, gid: 0 } as const,
      ]),
    ),
    etc: directory,
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\napp:x:500:600::/home/app:/bin/sh\n",
    "etc/group": "root:x:0:\napps:x:600:\nextra:x:700:app\n",
    tmp: { ...directory, mode: 0o1777 },
  });
}

let serial = 0;

/** A builder on real rooms, in folders of its own, with an image `base`. */
export class Rig implements AsyncDisposable {
  readonly folder: string;
  readonly kernel: Kernel;
  readonly images: ImageStore;
  readonly builder: Builder;
  readonly snapshots: OverlaySnapshotter;
  readonly #disposal: AsyncDisposableStack;

  private constructor(
    parts: Pick<Rig, "folder" | "kernel" | "images" | "builder" | "snapshots">,
    disposal: AsyncDisposableStack,
  ) {
    this.folder = parts.folder;
    this.kernel = parts.kernel;
    this.images = parts.images;
    this.builder = parts.builder;
    this.snapshots = parts.snapshots;
    this.#disposal = disposal;
  }

  static async open(): Promise<Rig> {
    await using disposal = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), "darse-build-"));
    disposal.defer(() => rm(folder, { recursive: true, force: true }));
    const paths = layout(join(folder, "root"), join(folder, "run"));
    const kernel = openKernel();
    const log = silentLogger;
    for (const path of [paths.root, paths.run]) await Bun.$`mkdir -p ${path}`.quiet();
    const database = disposal.use(openDatabase(paths.database, systemClock));
    const content = await ContentStore.open(paths.content);
    const records = database.documents("snapshots");
    const snapshots = disposal.use(OverlaySnapshotter.open({ root: paths.snapshots, records, kernel, log }));
    const bridge = `db${process.pid % 100_000}x${serial++}`;
    const networks = NetworkManager.open({ kernel, database, runDirectory: paths.run, log, bridge });
    disposal.defer(async () => {
      await networks.teardownIfIdle();
      await networks.close();
    });
    const runtime = Runtime.open({ runDirectory: paths.run, kernel, log });
    const images = await ImageStore.open({
      content,
      snapshots,
      applyLayer,
      records: database,
      emit: () => undefined,
      log,
      applyChanges,
      collectGarbage: () => Promise.resolve({ reclaimedBytes: 0 }),
    });
    const facts = readHostFacts(kernel);
    const builder = new Builder({
      images,
      snapshots,
      content,
      writeLayer,
      kernel,
      runtime,
      networks,
      log,
      leases: database.leases,
      hostFacts: () => facts,
      folder: join(paths.run, "build"),
      documents: database.documents("build_cache"),
    });
    const signal = new AbortController().signal;
    const reference = canonicalReference("base");
    await images.importTar(
      busyboxTar(),
      { reference, changes: [], message: "", platform: hostPlatform() },
      signal,
    );
    return new Rig({ folder, kernel, images, builder, snapshots }, disposal.move());
  }

  /** Builds `files`; `Dockerfile` is one of them. */
  async build(files: ContextFiles, options: RigOptions = {}): Promise<RigBuild> {
    const { tag, args = {}, labels = {}, signal = new AbortController().signal, ...rest } = options;
    let text = "";
    const image = await this.builder.build(
      {
        context: contextTar(files),
        tags: tag === undefined ? [] : [canonicalReference(tag)],
        buildArgs: new Map(Object.entries(args)),
        labels: new Map(Object.entries(labels)),
        ignoresCache: false,
        pulls: false,
        network: { kind: "bridge" },
        extraHosts: [],
        resources: {},
        rlimits: [],
        credentials: new Map(),
        ...rest,
      },
      { write: (part) => void (text += part), pullProgress: () => undefined },
      signal,
    );
    return { image, text };
  }

  /** Runs `look` over the files of an image, mounted at the path it is given. */
  async files<T>(image: Image, look: (root: string) => T | Promise<T>): Promise<T> {
    const target = join(this.folder, `look-${serial++}`);
    await this.images.unpack(image, new AbortController().signal);
    const chainId = chainIds(image.config.diffIds).at(-1);
    if (chainId === undefined) throw new Error("the image has no files");
    this.snapshots.mountView(chainId, target);
    try {
      return await look(target);
    } finally {
      this.kernel.unmount(target, MNT_DETACH);
      await rm(target, { recursive: true });
    }
  }

  /** What a build could leave: folders of steps, active snapshots, mounts. */
  async leftovers(): Promise<string[]> {
    const steps = (await Bun.$`ls ${join(this.folder, "run/build")}`.quiet().text())
      .split("\n")
      .filter(Boolean);
    const mounts = this.kernel.mounts().filter(({ target }) => target.startsWith(`${this.folder}/`));
    return [...steps, ...this.snapshots.actives(), ...mounts.map(({ target }) => target)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposal.disposeAsync();
  }
}
