import { writeFile } from "node:fs/promises";
import { join, posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { renderHosts } from "#network/hosts.ts";
import { readAccountFiles } from "#runtime/account-files.ts";
import { assembleEnv } from "#runtime/spec/env.ts";
import { generateSpec } from "#runtime/spec/generate-spec.ts";
import type { MountInput, SpecInput } from "#runtime/spec/spec-input.ts";
import { resolveUser } from "#runtime/spec/user.ts";
import type { FileSystem } from "../graph/file-system.ts";
import type { RunOperation, StepMount } from "../graph/run-operation.ts";
import type { StepOutput } from "../solver/executor.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import { FileWriter } from "./file-writer.ts";
import type { ExecutorOptions, StepNetworks } from "./executor-options.ts";
import type { StepRoot } from "./host.ts";
import { MountPoints } from "./mount-points.ts";
import { RootTree } from "./root-tree.ts";
import { StepError } from "./step-error.ts";
import type { StepFolder } from "./step-folder.ts";
import { selectFiles } from "../context/select.ts";

type Sandbox = Awaited<ReturnType<StepNetworks["attach"]>>;

export interface StepToRun {
  readonly operation: RunOperation;
  readonly inputs: readonly FileSystem[];
  /** Where the step's file system is mounted. */
  readonly rootfs: string;
  readonly folder: StepFolder;
  readonly caches: CacheMounts;
  readonly onOutput: (output: StepOutput) => void | Promise<void>;
}

/**
 * RUN: a container as any other, with the privileges of one that was given none, run to its end. It sees hosts and
 * resolv.conf of its own, which are no part of its files.
 *
 * @throws {StepError} when the command fails; {StartError} when it cannot be started
 */
export async function runCommand(
  step: StepToRun,
  options: ExecutorOptions,
  signal: AbortSignal,
): Promise<void> {
  const { operation, folder, rootfs, onOutput } = step;
  using root = options.kernel.openRoot(rootfs);
  const sandbox = await attach(step, options, signal);
  const mounts = [
    ...(await networkFiles(step, sandbox)),
    ...(await scriptMount(step)),
    ...(await stepMounts(step, options, signal)),
  ];
  const points = new MountPoints(
    root,
    mounts.map(({ destination }) => destination),
  );
  const input = specInput(step, { root, sandbox, mounts });
  const { spec } = generateSpec(input, options.hostFacts());
  const { exitCode } = await options.runtime.runToEnd(
    { id: folder.id, spec, onOutput: (stream, data) => onOutput({ stream, data }) },
    signal,
  );
  if (exitCode !== 0) throw new StepError(operation.args, exitCode);
  points.remove();
}

async function attach(
  { operation: { network }, folder }: StepToRun,
  { networks }: ExecutorOptions,
  signal: AbortSignal,
): Promise<Sandbox> {
  const sandbox = await networks.attach({ id: folder.id, ...placeOf(network, folder.id), ports: [] }, signal);
  folder.defer(() => networks.detach(folder.id));
  return sandbox;
}

function placeOf(
  network: StepToRun["operation"]["network"],
  id: string,
): Omit<Parameters<StepNetworks["attach"]>[0], "id" | "ports"> {
  switch (network.kind) {
    case "container":
      return { mode: `container:${network.id}` };
    case "named":
      // It finds others by their names, and is found by nobody who does not know its id.
      return { mode: "bridge", networks: [{ network: network.name, names: [id] }] };
    default:
      return { mode: network.kind };
  }
}

function specInput(
  { operation, folder, rootfs }: StepToRun,
  facts: { readonly root: StepRoot; readonly sandbox: Sandbox; readonly mounts: readonly MountInput[] },
): SpecInput {
  const user = resolveUser(readAccountFiles(facts.root), operation.user);
  const { namespacePath } = facts.sandbox;
  const env = [...operation.proxyEnv, ...operation.env];
  return {
    args: operation.args,
    env: assembleEnv({ hostname: operation.hostname, tty: false, home: user.home, env }),
    cwd: operation.cwd,
    user,
    tty: false,
    rootfs,
    hostname: operation.hostname,
    mounts: facts.mounts,
    ...(operation.shmBytes !== undefined && { shm: { sizeBytes: operation.shmBytes } }),
    resources: operation.resources,
    rlimits: operation.rlimits.map(({ name, soft, hard }) => ({
      type: `RLIMIT_${name.toUpperCase()}`,
      soft,
      hard,
    })),
    namespaces: { network: namespacePath === undefined ? "host" : { path: namespacePath } },
    cgroupPath: `${(operation.cgroupParent ?? "/darse").replace(/\/$/, "")}/${folder.id}`,
  };
}

async function networkFiles({ operation, folder }: StepToRun, sandbox: Sandbox): Promise<MountInput[]> {
  const gateway = sandbox.endpoints[0]?.gateway;
  const hosts = renderHosts({
    hostname: operation.hostname,
    addresses: sandbox.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((one) => one !== undefined),
    extraHosts: operation.extraHosts,
    ...(gateway !== undefined && { gateway }),
    hasIpv6Loopback: true,
  });
  return [
    await fileMount(folder, "hosts", { destination: "/etc/hosts", text: hosts, mode: 0o644 }),
    await fileMount(folder, "resolv.conf", {
      destination: "/etc/resolv.conf",
      text: sandbox.resolvConf,
      mode: 0o644,
    }),
  ];
}

async function scriptMount({ operation: { script }, folder }: StepToRun): Promise<MountInput[]> {
  if (script === undefined) return [];
  return [await fileMount(folder, "script", { destination: script.path, text: script.text, mode: 0o755 })];
}

async function fileMount(
  folder: StepFolder,
  name: string,
  file: { readonly destination: string; readonly text: string; readonly mode: number },
): Promise<MountInput> {
  const source = join(folder.path, name);
  await writeFile(source, file.text, { mode: file.mode });
  return { type: "bind", source, destination: file.destination };
}

async function stepMounts(
  step: StepToRun,
  options: ExecutorOptions,
  signal: AbortSignal,
): Promise<MountInput[]> {
  const mounts: MountInput[] = [];
  for (const mount of step.operation.mounts) mounts.push(await stepMount(step, mount, { options, signal }));
  return mounts;
}

async function stepMount(
  step: StepToRun,
  mount: StepMount,
  { options, signal }: { readonly options: ExecutorOptions; readonly signal: AbortSignal },
): Promise<MountInput> {
  const { target: destination } = mount;
  switch (mount.type) {
    case "tmpfs": {
      const size = mount.sizeBytes === undefined ? [] : [`size=${mount.sizeBytes}`];
      return { type: "tmpfs", destination, options: ["exec", ...size] };
    }
    case "bind": {
      const { folder } = step;
      const input = inputOf(step, mount.input);
      const key = `${folder.id}-${mount.input}-${posix.basename(destination)}`;
      const tree = mount.isReadOnly
        ? await folder.view(input, signal)
        : await folder.prepare(input, key, signal);
      const source = folder.bind(tree, mount.source);
      if (source === undefined) {
        throw new EngineError(
          "invalid",
          `Cannot mount ${mount.source} at ${destination}: no such file or directory`,
        );
      }
      return { type: "bind", source, destination, isReadOnly: mount.isReadOnly, readOnlyIsShallow: true };
    }
    case "cache": {
      const held = await step.caches.hold(mount);
      step.folder.defer(() => held[Symbol.dispose]());
      if (held.isNew && mount.seed) await seed(step, { mount, path: held.path }, { options, signal });
      return { type: "bind", source: held.path, destination, isReadOnly: mount.isReadOnly };
    }
  }
}

function inputOf({ inputs }: StepToRun, index: number): FileSystem {
  const input = inputs[index];
  if (input === undefined) throw new Error(`the step has no input ${index}`);
  return input;
}

/** The first content of a cache: a copy of a directory of another file system. */
async function seed(
  step: StepToRun,
  { mount, path }: { readonly mount: Extract<StepMount, { type: "cache" }>; readonly path: string },
  { options, signal }: { readonly options: ExecutorOptions; readonly signal: AbortSignal },
): Promise<void> {
  if (mount.seed === undefined) return;
  const view = await step.folder.view(inputOf(step, mount.seed.input), signal);
  using from = options.kernel.openRoot(view);
  using to = options.kernel.openRoot(path);
  const tree = new RootTree(from, "the source of a cache mount");
  const writer = new FileWriter(to, {});
  const selection = { path: mount.seed.source, excludes: [], keepsParents: false };
  for (const { below } of selectFiles(tree, selection)) {
    for (const { path: at, entry } of below) await writer.write(at, { entry, content: tree.read(entry) });
  }
  writer.finish();
}
