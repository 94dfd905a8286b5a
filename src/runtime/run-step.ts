import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { type Child, spawn } from "#linux/process.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import { bundleSpec } from "./bundle-spec.ts";
import { RUNTIME_LOG } from "./conmon-command.ts";
import type { ContainerCgroups } from "./container-cgroups.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import type { RunLayout } from "./run-layout.ts";
import { readRuntimeLog } from "./runtime-log.ts";
import type { SeccompFilters } from "./seccomp-filters.ts";
import { startError } from "./start-error.ts";

export interface StepOptions {
  readonly id: string;
  /** Without a terminal. */
  readonly spec: RuntimeSpec;
  /** Called with the output as it comes; a promise makes the step wait. */
  readonly onOutput: (stream: "stdout" | "stderr", data: Uint8Array) => void | Promise<void>;
  /** All of the step's stdin; empty when absent. */
  readonly stdin?: Uint8Array;
}

export interface StepTools {
  readonly layout: RunLayout;
  readonly runtime: OciRuntime;
  readonly cgroups: ContainerCgroups;
  readonly filters: SeccompFilters;
}

/**
 * Runs a container to its end with the runtime's `run`, its streams pipes of ours: nobody keeps it when we die.
 * @throws {StartError} when its process cannot be started
 * @throws {EngineError} cancelled when `signal` fired; the container is gone then
 */
export async function runStep(
  options: StepOptions,
  tools: StepTools,
  signal: AbortSignal,
): Promise<{ exitCode: number }> {
  signal.throwIfAborted();
  const { id } = options;
  const spec = bundleSpec(options.spec);
  const bundle = tools.layout.step(id);
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  writeFileSync(join(bundle, "config.json"), JSON.stringify(tools.filters.withFilter(spec, tools.runtime)), {
    mode: 0o600,
  });
  const { path, root } = tools.runtime;
  const child = spawn(
    [path, `--root=${root}`, `--log=${join(bundle, RUNTIME_LOG)}`, "run", "--bundle", bundle, id],
    { cwd: bundle, env: {}, stdin: options.stdin ?? "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const take: StepOptions["onOutput"] = (stream, data) => {
    // A process that writes has been set up: its filter is there until it ends.
    tools.filters.learn(id, spec, tools.runtime);
    return options.onOutput(stream, data);
  };
  const abort = (): void => void tools.runtime.deleteForce(id).catch(() => child.kill(9));
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.all([
      forward(child.stdout, (data) => take("stdout", data)),
      forward(child.stderr, (data) => take("stderr", data)),
    ]);
    const exitCode = await child.exited;
    if (signal.aborted) throw cancelled(id, signal);
    if (exitCode !== 0) failIfNotStarted(bundle, spec);
    return { exitCode };
  } finally {
    signal.removeEventListener("abort", abort);
    await end(child, id, tools, spec);
  }
}

/** Removes the step `id` that an engine left when it died. */
export async function removeStep(id: string, tools: StepTools): Promise<void> {
  await tools.runtime.deleteForce(id);
  rmSync(tools.layout.step(id), { recursive: true, force: true });
}

async function forward(
  stream: ReadableStream<Uint8Array> | undefined,
  take: (data: Uint8Array) => void | Promise<void>,
): Promise<void> {
  if (!stream) return;
  for await (const data of stream) await take(data);
}

/** The runtime's own complaints are in its log, apart from what the process wrote. */
function failIfNotStarted(bundle: string, { process }: RuntimeSpec): void {
  const log = readRuntimeLog(bundle);
  if (log === "") return;
  throw startError("create", log, { command: process.args[0] ?? "", cwd: process.cwd });
}

async function end(child: Child, id: string, tools: StepTools, spec: RuntimeSpec): Promise<void> {
  await tools.runtime.deleteForce(id);
  await child.exited;
  tools.cgroups.remove(spec.linux.cgroupsPath ?? "");
  rmSync(tools.layout.step(id), { recursive: true, force: true });
}

function cancelled(id: string, signal: AbortSignal): EngineError {
  return new EngineError("cancelled", `Cannot finish step ${id}: it was cancelled`, { cause: signal.reason });
}
