import { EngineError, type ErrorKind } from "#base/errors.ts";

/** A process that could not be started; `exitCode` is what a shell would have said: 127, 126, or 128 for the rest. */
export class StartError extends EngineError {
  readonly exitCode: 126 | 127 | 128;

  constructor(kind: ErrorKind, message: string, exitCode: 126 | 127 | 128) {
    super(kind, message);
    this.exitCode = exitCode;
  }
}

interface Cause {
  readonly kind: ErrorKind;
  readonly exitCode: 126 | 127 | 128;
  readonly text: string;
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
  const cause = explain(output, command, cwd);
  const prefix = verb === "create" ? CREATE_PREFIX : EXEC_PREFIX;
  return new StartError(cause.kind, `${prefix}${cause.text}: unknown`, cause.exitCode);
}

function explain(output: string, command: string, cwd: string): Cause {
  const text = lastLine(output);
  const subject = `exec: ${JSON.stringify(command)}`;
  if (/executable file .* not found/.test(text)) {
    return command.includes("/")
      ? missing(`${subject}: stat ${command}: no such file or directory`)
      : missing(`${subject}: executable file not found in $PATH`);
  }
  if (/open executable: Permission denied|exec container process .*: Permission denied/i.test(text)) {
    return forbidden(`${subject}: permission denied`);
  }
  if (/open executable: Is a directory/i.test(text))
    return forbidden(`${subject}: is a directory: permission denied`);
  const directory =
    /(?:chdir|mkdir|cwd|creating).*: (Not a directory|Permission denied|No such file or directory|Too many levels of symbolic links)/i.exec(
      text,
    );
  if (directory?.[1] && text.includes("chdir")) {
    const reason = directory[1].toLowerCase();
    const said = `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${reason}`;
    return reason === "permission denied" ? forbidden(said) : other(said);
  }
  return other(text);
}

/** Runtimes write `time="…" level=error msg="…"`, `{"msg":…}` or plain text; the last line is the reason. */
function lastLine(output: string): string {
  const line = output.trimEnd().split("\n").at(-1)?.trim() ?? "";
  const quoted = /\bmsg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  return (quoted ?? line).replace(/^\d{4}-\S+Z?:\s*/, "") || "the OCI runtime gave no reason";
}

function missing(text: string): Cause {
  return { kind: "invalid", exitCode: 127, text };
}

function forbidden(text: string): Cause {
  return { kind: "invalid", exitCode: 126, text };
}

function other(text: string): Cause {
  return { kind: "internal", exitCode: 128, text };
}
