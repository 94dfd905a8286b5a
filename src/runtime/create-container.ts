import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { findProgram } from "#linux/process.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import { type BundleRecord, findStartTime, writeRecord } from "./bundle-record.ts";
import { bundleSpec } from "./bundle-spec.ts";
import { createCommand } from "./conmon-command.ts";
import { ConmonProcess } from "./conmon-process.ts";
import type { ContainerPlace } from "./container-place.ts";
import { KeptContainer } from "./kept-container.ts";
import { removeRemains } from "./remove-bundle.ts";
import { readRuntimeLog } from "./runtime-log.ts";
import { startError } from "./start-error.ts";

export interface CreateRequest {
  readonly spec: RuntimeSpec;
  readonly log: { readonly path?: string };
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  /** Name of the OCI runtime. */
  readonly runtime: string;
}

const SIGTERM = 15;

/**
 * Writes the bundle and has conmon create the container. When it fails, or `signal` fires, nothing is left.
 * @throws {StartError}
 */
export async function createContainer(
  place: ContainerPlace,
  request: CreateRequest,
  signal: AbortSignal,
): Promise<KeptContainer> {
  signal.throwIfAborted();
  const { id, layout } = place;
  const bundle = layout.bundle(id);
  const runtime = place.runtime(request.runtime);
  const spec = bundleSpec(request.spec);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  writeFileSync(join(bundle, "config.json"), JSON.stringify(place.filters.withFilter(spec, runtime)), {
    mode: 0o600,
  });
  const conmon = ConmonProcess.start({
    command: createCommand(
      {
        conmon: findProgram("conmon"),
        id,
        uuid: id,
        runtime: runtime.path,
        runtimeRoot: runtime.root,
        directory: bundle,
        tty: request.tty,
        openStdin: request.openStdin,
        keepsStdin: request.tty || !request.stdinOnce,
      },
      { exits: layout.exits, logPath: request.log.path },
    ),
    cwd: bundle,
    temporary: layout.temporary,
    waitsForAttach: false,
  });
  const record = { ...recordOf(request), conmonPid: conmon.child.pid };
  writeRecord(bundle, record);
  // conmon hands the signal on to the runtime, whose end is the failure that we then read.
  const abort = (): void => conmon.child.kill(SIGTERM);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const pid = await createdPid(conmon, request, { bundle, signal });
    place.filters.learn(id, request.spec, runtime);
    return keep(place, record, { pid, conmon });
  } catch (error) {
    await conmon.child.exited;
    await place.runtime(request.runtime).deleteForce(id);
    await removeRemains(place, record);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    await conmon.release();
  }
}

function recordOf({
  spec,
  tty,
  openStdin,
  stdinOnce,
  runtime,
}: CreateRequest): Omit<BundleRecord, "conmonPid"> {
  return { runtime, cgroupPath: spec.linux.cgroupsPath ?? "", tty, openStdin, stdinOnce };
}

async function createdPid(
  conmon: ConmonProcess,
  { spec }: CreateRequest,
  { bundle, signal }: { bundle: string; signal: AbortSignal },
): Promise<number> {
  const message = await conmon.sync.next();
  if (signal.aborted) {
    conmon.child.kill(SIGTERM);
    throw new EngineError("cancelled", "Cannot create the container: it was cancelled", {
      cause: signal.reason,
    });
  }
  if (message && message.data > 0) return message.data;
  const reason = readRuntimeLog(bundle) || message?.message;
  if (reason)
    throw startError("create", reason, { command: spec.process.args[0] ?? "", cwd: spec.process.cwd });
  const complaint = await conmon.complaint();
  throw new EngineError(
    "internal",
    `Cannot create the container: conmon ended without a report: ${complaint}`,
  );
}

function keep(
  place: ContainerPlace,
  partial: BundleRecord,
  { pid, conmon }: { pid: number; conmon: ConmonProcess },
): KeptContainer {
  // conmon reaps it only after we have been told, but then at any moment; a pid that is gone names nobody.
  const init = place.kernel.openPidfd(pid);
  const record = { ...partial, init: { pid, startTime: findStartTime(pid) ?? "" } };
  writeRecord(place.layout.bundle(place.id), record);
  return new KeptContainer(place, record, { keeperEnded: conmon.child.exited, init });
}
