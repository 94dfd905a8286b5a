import { Fields, parseJson } from "#base/decode.ts";

/** Where conmon's pipes lie in it; named to it by `_OCI_SYNCPIPE` and so on. */
export const SYNC_FD = 3;
export const START_FD = 4;
export const ATTACH_FD = 5;

/** Where the OCI runtime says why it failed. */
export const RUNTIME_LOG = "log";

export interface ConmonCommand {
  readonly conmon: string;
  /** The container's id: what the runtime is called with, also for an exec. */
  readonly id: string;
  /** The id of the container or of the exec. */
  readonly uuid: string;
  readonly runtime: string;
  readonly runtimeRoot: string;
  /** conmon makes its socket and FIFOs here: the bundle, or the folder of the exec. */
  readonly directory: string;
  readonly tty: boolean;
  readonly openStdin: boolean;
  /** Whether the process's stdin outlives the client that wrote to it. */
  readonly keepsStdin: boolean;
}

/** `conmon` around `<runtime> create`; it writes `<exits>/<id>` at the end. `logPath` is in the CRI text format. */
export function createCommand(
  command: ConmonCommand,
  { exits, logPath }: { exits: string; logPath: string | undefined },
): string[] {
  const log = logPath === undefined ? "none" : `k8s-file:${logPath}`;
  return [...common(command), "--exit-dir", exits, "--log-path", log];
}

/**
 * `conmon` around `<runtime> exec`. The exit directory would be named by the container's id, so that an exec's end
 * would read as the container's: the code goes to `<directory>/exit` and the sync pipe.
 */
export function execCommand(command: ConmonCommand, processSpec: string): string[] {
  const exec = ["--exec", "--exec-attach", "--exec-process-spec", processSpec];
  return [...common(command), ...exec, "--persist-dir", command.directory, "--log-path", "none"];
}

/**
 * `--sync`: conmon forks once and stays our child, so that its end is told to us by the kernel; it leads a session of
 * its own all the same, and process 1 inherits it when we die.
 */
function common(command: ConmonCommand): string[] {
  const options: [string, string][] = [
    ["--api-version", "1"],
    ["--log-level", "error"],
    ["--cid", command.id],
    ["--cuuid", command.uuid],
    ["--bundle", command.directory],
    ["--container-pidfile", `${command.directory}/pid`],
    ["--runtime", command.runtime],
    ["--runtime-arg", `--root=${command.runtimeRoot}`],
    // Its stderr would do, were it not the terminal already when the runtime fails late.
    ["--runtime-arg", `--log=${command.directory}/${RUNTIME_LOG}`],
  ];
  const flags = ["--sync", "--full-attach", "--no-sync-log"];
  if (command.tty) flags.push("--terminal");
  if (command.openStdin) flags.push("--stdin");
  if (command.keepsStdin) flags.push("--leave-stdin-open");
  return [command.conmon, ...options.flat(), ...flags];
}

/** One line of the sync pipe: `{"data": 4711}`, or `{"data": -1, "message": "what the runtime wrote to stderr"}`. */
export interface SyncMessage {
  readonly data: number;
  readonly message?: string;
}

/** @throws {EngineError} invalid */
export function parseSyncMessage(line: string): SyncMessage {
  const fields = new Fields(parseJson(line, "conmon's report"), "conmon's report");
  const message = fields.string("message");
  return {
    data: fields.required("data", fields.integer("data")),
    ...(message !== undefined && { message }),
  };
}
