import { mkdirSync, writeFileSync } from "node:fs";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { ContainerId } from "#base/ids.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import { generateSpec } from "#runtime/spec/generate-spec.ts";
import { etcFiles, hostnameOf } from "./etc-files.ts";
import { containerEvent } from "./events.ts";
import { healthAtStart } from "./health/health-plan.ts";
import { findInit, readHostNames, userIn } from "./facts.ts";
import { type ContainerPaths, containerPaths } from "./folders.ts";
import { holdVolumes, mountRoot, sourceOf, unmountRoot } from "./mounting.ts";
import { linkedContainers, linkEnv, linkHosts } from "./links.ts";
import { parseLogConfig } from "./logs/log-options.ts";
import { settleLog } from "./logs/rotating-log.ts";
import type { Sandbox } from "./neighbours.ts";
import { attachRequest, networkOwner } from "./network-request.ts";
import { NO_NETWORK, networkState } from "./network-state.ts";
import type { ContainerRecord } from "./record.ts";
import { prepareRoot } from "./root-preparation.ts";
import { mountShm, shmPath } from "./run-mounts.ts";
import { specInput } from "./spec-plan.ts";
import { started, startFailed } from "./state.ts";
import type { World } from "./world.ts";

/** A start is given up after this long; its own limits are far shorter. */
const START_DEADLINE_MS = 120_000;

/**
 * Starts a container's process; the caller holds its lock and has checked the state. Network, mounts and process are
 * all there when it resolves and the record says `running`; when it throws, nothing is left of them and the record says
 * why, with the exit code a shell would give: 126 not executable, 127 not found, 128 anything else.
 */
export async function launch(world: World, id: ContainerId): Promise<ContainerRecord> {
  try {
    return await launchOrUndo(world, id);
  } catch (error) {
    const failure = { exitCode: startExitCode(error), message: errorMessage(error) };
    world.registry.update(id, ({ state }) => ({ state: startFailed(state, failure), network: NO_NETWORK }));
    world.lives.get(id).abandonAttaching();
    throw asStartError(error);
  }
}

async function launchOrUndo(world: World, id: ContainerId): Promise<ContainerRecord> {
  await using undo = new AsyncDisposableStack();
  const { registry, runtime, lives, clock } = world;
  const record = getRecord(world, id);
  const paths = containerPaths(world.folders, id);
  runtime.anticipate();
  const { hostConfig } = record;
  const logLimits = parseLogConfig(hostConfig.logConfig);
  if (logLimits) settleLog(paths.log);
  // Promised only: the keeper of the process loads while network and root are made.
  const spec = prepareSpec(world, record, undo);
  const pid = await created(world, record, { spec, logPath: logLimits ? paths.log : undefined });
  undo.defer(() => runtime.delete(id));
  const live = lives.get(id);
  await live.connectAttaching((stdin) => runtime.attach(id, { stdin }));
  // Before its first byte: clients ask for the log since the start.
  const startedAt = clock();
  await runtime.start(id);
  const running = registry.update(id, (now) => ({
    state: started(now.state, pid, startedAt),
    ...healthAtStart(now),
  }));
  undo.move();
  await live.connectAttaching((stdin) => runtime.attach(id, { stdin }));
  world.emit(containerEvent(running, "start"));
  return running;
}

/** Has the runtime create the process; when that fails, what it was waiting for has settled too. */
async function created(
  { runtime }: World,
  { id, config }: ContainerRecord,
  { spec, logPath }: { spec: Promise<RuntimeSpec>; logPath: string | undefined },
): Promise<number> {
  const { tty, openStdin, stdinOnce } = config;
  const log = logPath === undefined ? {} : { path: logPath };
  try {
    const signal = AbortSignal.timeout(START_DEADLINE_MS);
    return (await runtime.create({ id, spec, log, tty, openStdin, stdinOnce }, signal)).pid;
  } catch (error) {
    await spec.catch(() => undefined);
    throw error;
  }
}

/** Makes all that a process needs, and says how it is to run in it. */
async function prepareSpec(
  world: World,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
): Promise<RuntimeSpec> {
  const { sandbox, names } = await prepare(world, record, undo);
  const paths = containerPaths(world.folders, record.id);
  const place = { paths, sandbox, hostname: names.hostname };
  const { spec } = generateSpec(specOf(world, record, place), world.facts);
  // Saved first: an engine that dies now leaves a process whose addresses the next one must know.
  world.registry.update(record.id, () => ({ network: networkState(sandbox) }));
  return spec;
}

/** Network and root together: neither needs the other, and the network is the slower. */
async function prepare(
  world: World,
  record: ContainerRecord,
  undo: AsyncDisposableStack,
): Promise<{ sandbox: Sandbox; names: { hostname: string } }> {
  const { network, host } = world;
  const { id } = record;
  const paths = containerPaths(world.folders, id);
  const hostNames = readHostNames();
  const hostname = hostnameOf(record, hostNames);
  undo.defer(() => network.detach(id));
  const attaching = network.attach(
    attachRequest(record, world.registry),
    AbortSignal.timeout(START_DEADLINE_MS),
  );
  const mounting = (async () => {
    mountRoot(world, id);
    undo.defer(() => unmountRoot(world, id));
    await holdVolumes(world, record);
    using root = host.openRoot(paths.rootfs);
    prepareRoot(root, record.config.workingDir);
  })();
  const [attached, mounted] = await Promise.allSettled([attaching, mounting]);
  if (attached.status === "rejected") throw asNetworkError(attached.reason);
  if (mounted.status === "rejected") throw mounted.reason;
  const sandbox = attached.value;
  const files = etcFiles(record, networkState(sandbox), {
    resolvConf: sandbox.resolvConf,
    host: hostNames,
    links: linkHosts(linkedContainers(world.registry, record.hostConfig)),
  });
  mkdirSync(paths.state, { recursive: true, mode: 0o700 });
  writeFileSync(paths.hostname, files.hostname, { mode: 0o644 });
  writeFileSync(paths.hosts, files.hosts, { mode: 0o644 });
  writeFileSync(paths.resolvConf, files.resolvConf, { mode: 0o644 });
  return { sandbox, names: { hostname } };
}

function specOf(
  world: World,
  record: ContainerRecord,
  { paths, sandbox, hostname }: { paths: ContainerPaths; sandbox: Sandbox; hostname: string },
): Parameters<typeof generateSpec>[0] {
  const { hostConfig, config } = record;
  const owner = networkOwner(hostConfig);
  using root = world.host.openRoot(paths.rootfs);
  // A runtime gives a bind its own flags, not those of what it binds.
  const mounts = record.mounts.map((mount) =>
    mount.type === "volume" && world.volumes.isReadOnly(mount.name ?? "")
      ? { ...mount, isWritable: false }
      : mount,
  );
  return specInput(
    { ...record, mounts },
    {
      user: userIn(root, config.user, hostConfig.groupAdd ?? []),
      hostname,
      etc: owner === undefined ? paths : containerPaths(world.folders, owner),
      rootfs: paths.rootfs,
      networkNamespace: sandbox.namespacePath,
      pidNamespace: pidNamespace(world, hostConfig.pidMode),
      ...ipcPlace(world, record),
      linkEnv: linkEnv(record.name, linkedContainers(world.registry, hostConfig)),
      sourceOf: (mount) => sourceOf(mount, world, record.id),
      initPath: hostConfig.init ? findInit() : undefined,
    },
  );
}

function pidNamespace({ registry }: World, pidMode: string | undefined): string | undefined {
  if (pidMode === undefined || !pidMode.startsWith("container:")) return undefined;
  const { state, id } = registry.get(pidMode.slice("container:".length));
  if (state.status === "running") return `/proc/${state.pid}/ns/pid`;
  throw new EngineError("conflict", `cannot join PID of a non running container: ${id}`);
}

/** Where a container's shared memory lies and whose objects it sees, when it shares them. */
function ipcPlace(
  world: World,
  { id, hostConfig: { ipcMode, shmSizeBytes } }: ContainerRecord,
): { ipcNamespace: string | undefined; shmPath: string | undefined } {
  if (ipcMode === "shareable") {
    return { ipcNamespace: undefined, shmPath: mountShm(world, id, shmSizeBytes ?? 0) };
  }
  if (ipcMode === undefined || !ipcMode.startsWith("container:")) {
    return { ipcNamespace: undefined, shmPath: undefined };
  }
  const { state, id: donor, hostConfig } = world.registry.get(ipcMode.slice("container:".length));
  if (state.status !== "running") {
    throw new EngineError("conflict", `cannot join IPC of a non running container: ${donor}`);
  }
  if (hostConfig.ipcMode !== "shareable") {
    throw new EngineError(
      "invalid",
      `can't join IPC of container ${donor}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
    );
  }
  return { ipcNamespace: `/proc/${state.pid}/ns/ipc`, shmPath: shmPath(world, donor) };
}

function getRecord({ registry }: World, id: ContainerId): ContainerRecord {
  const record = registry.byId(id);
  if (record === undefined) throw new EngineError("not-found", `No such container: ${id}`);
  return record;
}

/** The code that a failed start leaves. Docker's daemon/errors.go reads it from the runtime's text. */
function startExitCode(error: unknown): number {
  if (error instanceof Error && "exitCode" in error && typeof error.exitCode === "number")
    return error.exitCode;
  const text = errorMessage(error);
  if (/permission denied|is a directory/i.test(text)) return 126;
  return /executable file not found|no such file or directory|cannot find the file/i.test(text) ? 127 : 128;
}

/** A command that can not run is the caller's mistake; everything else is ours. */
function asStartError(error: unknown): unknown {
  const isCommand = startExitCode(error) !== 128;
  if (error instanceof EngineError && (error.kind === "unavailable" || error.kind === "cancelled"))
    return error;
  const hint = error instanceof EngineError && error.hint !== undefined ? { hint: error.hint } : {};
  const text = errorMessage(error);
  const message = text.endsWith("is a directory") ? `${text}: permission denied` : text;
  return new EngineError(isCommand ? "invalid" : "internal", message, { cause: error, ...hint });
}

function asNetworkError(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new EngineError("internal", `failed to set up container networking: ${error.message}`, {
    cause: error,
    ...hint,
  });
}
