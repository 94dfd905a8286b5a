import { EngineError, type ErrorKind } from "#base/errors.ts";

/** A process that could not be started; `exitCode` is what a shell would have said: 127, 126, or 128 for the rest. */
export class StartError extends EngineError {
  readonly exitCode: 126 | 127 | 128;

  constructor(kind: ErrorKind, message: string, exitCode: 126 | 127 | 128) {
    super(kind, message);
    this.exitCode = exitCode;
  }
}

const CREATE_PREFIX =
  "failed to create task for container: failed to create shim task: OCI runtime create failed: unable to start container process: ";
const EXEC_PREFIX = "OCI runtime exec failed: exec failed: unable to start container process: ";

/**
 * Docker's text for what the OCI runtime wrote when it could not start `command` (clients choose their own exit code by
 * it: moby daemon/errors.go, docker/cli cli/command/container/run.go).
 */
export function startError(
  verb: "create" | "exec",
  output: string,
  { command, cwd }: { command: string; cwd: string },
): StartError {
  const text = explain(output, command, cwd);
  const exitCode = exitCodeFor(text);
  const prefix = verb === "create" ? CREATE_PREFIX : EXEC_PREFIX;
  return new StartError(exitCode === 128 ? "internal" : "invalid", `${prefix}${text}: unknown`, exitCode);
}

function explain(output: string, command: string, cwd: string): string {
  const text = lastLine(output);
  const subject = `exec: ${JSON.stringify(command)}`;
  if (/executable file .* not found/.test(text)) {
    return command.includes("/")
      ? `${subject}: stat ${command}: no such file or directory`
      : `${subject}: executable file not found in $PATH`;
  }
  // crun says "not permitted" of whatever is not a regular file.
  if (/open executable: (Operation not permitted|Is a directory)/i.test(text)) {
    return `${subject}: is a directory: permission denied`;
  }
  if (/open executable: Permission denied/i.test(text)) return `${subject}: permission denied`;
  const directory = /^chdir .*: ([^:]+)$/.exec(text)?.[1];
  if (directory === undefined) return text;
  return `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${directory.toLowerCase()}`;
}

/** moby daemon/errors.go `setExitCodeFromError`: by the text. */
function exitCodeFor(text: string): StartError["exitCode"] {
  if (/executable file not found|no such file or directory|not a directory/i.test(text)) return 127;
  return /permission denied/i.test(text) ? 126 : 128;
}

/** Runtimes write `time="…" level=error msg="…"`, `{"msg":…}` or plain text; the last line is the reason. */
function lastLine(output: string): string {
  const line = output.trimEnd().split("\n").at(-1)?.trim() ?? "";
  const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  return (quoted ?? line).replace(/^\d{4}-\S+Z?:\s*/, "") || "the OCI runtime gave no reason";
}
