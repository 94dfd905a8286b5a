import type { ExecCreateRequest } from "#api/exec.ts";
import { CommandFailure } from "../command-failure.ts";
import { type CommandContext, command } from "../command.ts";
import { resolveEnv } from "../specs/env.ts";
import { followTerminalSize, StreamSession } from "../stream-session.ts";
import { readTextFile } from "../user-files.ts";

export const exec = command({
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  arguments: { min: 2 },
  optionsFirst: true,
  flags: {
    detach: { type: "bool", short: "d", help: "Detached mode: run command in the background" },
    detachKeys: { type: "string", help: "Override the key sequence for detaching a container" },
    env: { type: "list", short: "e", help: "Set environment variables" },
    envFile: { type: "list", help: "Read in a file of environment variables" },
    interactive: { type: "bool", short: "i", help: "Keep STDIN open even if not attached" },
    privileged: { type: "bool", help: "Give extended privileges to the command" },
    tty: { type: "bool", short: "t", help: "Allocate a pseudo-TTY" },
    user: { type: "string", short: "u", help: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
    workdir: { type: "string", short: "w", help: "Working directory inside the container" },
  },
  async run([id = "", ...words], flags, context) {
    const takesInput = flags.interactive && !flags.detach;
    const detachKeys = flags.detachKeys ?? context.settings().detachKeys;
    if (takesInput && flags.tty && !context.input.isTerminal) {
      throw new CommandFailure("invalid", "the input device is not a TTY", { exitCode: 1 });
    }
    const size = flags.tty ? context.input.size() : undefined;
    const ConsoleSize: [number, number] | undefined = size && [size.rows, size.columns];
    const request: ExecCreateRequest = {
      AttachStdin: takesInput,
      AttachStdout: !flags.detach,
      AttachStderr: !flags.detach,
      ConsoleSize,
      DetachKeys: detachKeys ?? "",
      Tty: flags.tty,
      Env: resolveEnv({ files: flags.envFile, entries: flags.env, env: context.env, read: readTextFile }),
      Cmd: words,
      Privileged: flags.privileged,
      User: flags.user ?? "",
      WorkingDir: flags.workdir ?? "",
    };
    const { Id } = await context.client.createExec(id, request);
    const start = { Tty: flags.tty, ConsoleSize };
    if (flags.detach) {
      await context.client.startExecDetached(Id, start);
      return 0;
    }
    return await runAttached(context, { execId: Id, start, takesInput, detachKeys });
  },
});

interface AttachedExec {
  readonly execId: string;
  readonly start: { readonly Tty: boolean; readonly ConsoleSize: [number, number] | undefined };
  readonly takesInput: boolean;
  readonly detachKeys: string | undefined;
}

async function runAttached(context: CommandContext, options: AttachedExec): Promise<number> {
  const { execId, start, takesInput, detachKeys } = options;
  const stream = await context.client.startExec(execId, start);
  using session = new StreamSession(context, { stream, hasTty: start.Tty, takesInput, detachKeys });
  using _size = start.Tty
    ? followTerminalSize(context, (size) => context.client.resizeExec(execId, size))
    : undefined;
  await session.run();
  if (session.isDetached) {
    context.error.write("read escape sequence\n");
    return 0;
  }
  return (await context.client.inspectExec(execId)).ExitCode ?? 0;
}
