import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EngineError } from "#base/errors.ts";
import { findProgram } from "#linux/process.ts";
import type { ProcessSpec } from "#oci/runtime-spec.ts";
import type { Attachment } from "./attachment.ts";
import { execCommand } from "./conmon-command.ts";
import { ConmonProcess } from "./conmon-process.ts";
import { type Connector, ConmonStreams } from "./conmon-streams.ts";
import { markAsOurs } from "./exec-session.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import type { RunLayout } from "./run-layout.ts";
import { readRuntimeLog } from "./runtime-log.ts";
import { startError } from "./start-error.ts";

export interface ExecOptions {
  readonly execId: string;
  readonly process: ProcessSpec;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** Nobody attaches: the output is dropped. */
  readonly detach: boolean;
  /** The engine after this one kills it. */
  readonly endsWithEngine?: boolean;
}

export interface RunningExec {
  readonly pid: number;
  /** Absent for a detached exec. Dispose it. */
  readonly attachment?: Attachment;
  /** The exit code, 128 + n for signal n, when all output is out. */
  readonly exited: Promise<number>;
}

export interface ExecTools {
  readonly layout: RunLayout;
  readonly runtime: OciRuntime;
  readonly connector: Connector;
}

/** What is said of an exec whose exit code nobody saw. */
const UNSEEN_EXIT_CODE = 137;

/**
 * Has conmon start a further process in container `id`. conmon waits until we are attached, so that no byte is lost; it
 * keeps the process when we die, as it does a container. @throws {StartError}
 */
export async function startExec(id: string, options: ExecOptions, tools: ExecTools): Promise<RunningExec> {
  const directory = tools.layout.exec(id, options.execId);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const processPath = join(directory, "process.json");
  writeFileSync(processPath, JSON.stringify({ ...options.process, terminal: options.tty }), { mode: 0o600 });
  if (options.endsWithEngine) markAsOurs(directory);
  const conmon = ConmonProcess.start({
    command: execCommand(
      {
        conmon: findProgram("conmon"),
        id,
        uuid: options.execId,
        runtime: tools.runtime.path,
        runtimeRoot: tools.runtime.root,
        directory,
        tty: options.tty,
        openStdin: options.openStdin,
        keepsStdin: options.tty,
      },
      processPath,
    ),
    cwd: directory,
    temporary: tools.layout.temporary,
    waitsForAttach: true,
  });
  try {
    const attachment = await attachWhenReady(conmon, options, tools, directory);
    try {
      const pid = await startedPid(conmon, options, directory);
      return { pid, ...(attachment && { attachment }), exited: exitCode(conmon, directory) };
    } catch (error) {
      await attachment?.[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    conmon.child.kill(15);
    await conmon.child.exited;
    await conmon.sync.close();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  } finally {
    await conmon.release();
  }
}

async function attachWhenReady(
  conmon: ConmonProcess,
  options: ExecOptions,
  tools: ExecTools,
  directory: string,
): Promise<Attachment | undefined> {
  conmon.proceed();
  if ((await conmon.attach?.next()) === undefined) {
    const complaint = await conmon.complaint();
    throw new EngineError("internal", `Cannot start the exec: conmon ended without a report: ${complaint}`);
  }
  const streams = new ConmonStreams(tools.connector, join(directory, "attach"), { endsStdin: !options.tty });
  const attachment = options.detach ? undefined : await streams.attach({ stdin: true });
  conmon.proceed();
  return attachment;
}

async function startedPid(
  conmon: ConmonProcess,
  { process }: ExecOptions,
  directory: string,
): Promise<number> {
  const message = await conmon.sync.next();
  if (message && message.data > 0) return message.data;
  const output = readRuntimeLog(directory) || message?.message || (await conmon.complaint());
  throw startError("exec", output, { command: process.args[0] ?? "", cwd: process.cwd });
}

async function exitCode(conmon: ConmonProcess, directory: string): Promise<number> {
  try {
    const message = await conmon.sync.next();
    await conmon.child.exited;
    return message && message.data >= 0 ? message.data : UNSEEN_EXIT_CODE;
  } finally {
    await conmon.sync.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
