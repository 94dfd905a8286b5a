import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { findProgram } from "#linux/process.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import { abandonContainer } from "./abandon-container.ts";
import { type BundleRecord, findStartTime, writeRecord } from "./bundle-record.ts";
import { bundleSpec } from "./bundle-spec.ts";
import { createCommand } from "./conmon-command.ts";
import { ConmonProcess } from "./conmon-process.ts";
import type { ContainerPlace } from "./container-place.ts";
import { KeptContainer } from "./kept-container.ts";
import { readRuntimeLog } from "./runtime-log.ts";
import { startError } from "./start-error.ts";

export interface CreateRequest {
  /** May still be in the making: conmon is started meanwhile. Its rejection is passed on. */
  readonly spec: RuntimeSpec | Promise<RuntimeSpec>;
  readonly log: { readonly path?: string };
  readonly tty: boolean;
  readonly openStdin: boolean;
  readonly stdinOnce: boolean;
  /** Name of the OCI runtime. */
  readonly runtime: string;
}

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
  // When conmon cannot even be started nobody else would look at it.
  Promise.resolve(request.spec).catch(() => undefined);
  const { tty, openStdin, stdinOnce } = request;
  mkdirSync(place.layout.bundle(place.id), { recursive: true, mode: 0o700 });
  const conmon = startConmon(place, request);
  const conmonPid = conmon.child.pid;
  const record = { runtime: request.runtime, conmonPid, cgroupPath: "", tty, openStdin, stdinOnce };
  const cancelled = Promise.withResolvers<never>();
  const abort = (): void => cancelled.reject(cancellation(place.id, signal));
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([finish(place, request, { conmon, record }), cancelled.promise]);
  } catch (error) {
    const keeper = { kill: (number: number) => conmon.child.kill(number), ended: conmon.child.exited };
    await abandonContainer(place, record, keeper);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    await Promise.all([conmon.release(), conmon.sync.close()]);
  }
}

/** conmon loads, and waits at its start pipe. */
function startConmon({ id, layout, runtime }: ContainerPlace, request: CreateRequest): ConmonProcess {
  const bundle = layout.bundle(id);
  const { path, root } = runtime(request.runtime);
  return ConmonProcess.start({
    command: createCommand(
      {
        conmon: findProgram("conmon"),
        id,
        uuid: id,
        runtime: path,
        runtimeRoot: root,
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
}

/**
 * The record is there before `config.json`, and that before conmon may begin: when we die at any moment, there is
 * nothing that conmon could create, or the next engine knows of it.
 */
async function finish(
  place: ContainerPlace,
  request: CreateRequest,
  { conmon, record }: { conmon: ConmonProcess; record: BundleRecord },
): Promise<KeptContainer> {
  const { id, layout, filters } = place;
  const bundle = layout.bundle(id);
  const spec = bundleSpec(await request.spec);
  const runtime = place.runtime(request.runtime);
  const known = { ...record, cgroupPath: spec.linux.cgroupsPath ?? "" };
  writeRecord(bundle, known);
  const config = JSON.stringify(filters.withFilter(spec, runtime));
  writeFileSync(join(bundle, "config.json"), config, { mode: 0o600 });
  conmon.proceed();
  const pid = await createdPid(conmon, spec, bundle);
  filters.learn(id, spec, runtime);
  return keep(place, known, { pid, conmon });
}

async function createdPid(conmon: ConmonProcess, spec: RuntimeSpec, bundle: string): Promise<number> {
  const message = await conmon.sync.next();
  if (message && message.data > 0) return message.data;
  const reason = readRuntimeLog(bundle) || message?.message;
  if (reason) {
    throw startError("create", reason, { command: spec.process.args[0] ?? "", cwd: spec.process.cwd });
  }
  throw new EngineError(
    "internal",
    `Cannot create the container: conmon ended without a report: ${await conmon.complaint()}`,
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

function cancellation(id: string, signal: AbortSignal): EngineError {
  return new EngineError("cancelled", `Cannot create container ${id}: it was cancelled`, {
    cause: signal.reason,
  });
}
