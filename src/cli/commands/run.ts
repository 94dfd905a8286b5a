import type { ContainerWaitResponse } from "#api/containers.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { CommandFailure } from "../command-failure.ts";
import { type CommandContext, command } from "../command.ts";
import { containerFlags } from "../container-flags.ts";
import { containerRequest } from "../container-request.ts";
import { createContainer } from "../create-container.ts";
import { type FlagValues, sortFlags } from "../flags.ts";
import { SignalProxy } from "../signal-proxy.ts";
import { followTerminalSize, StreamSession } from "../stream-session.ts";
import { readTextFile } from "../user-files.ts";
import { platformOf } from "../specs/platform.ts";

const flags = sortFlags({
  ...containerFlags,
  detach: { type: "bool", short: "d", help: "Run container in background and print container ID" },
  detachKeys: { type: "string", help: "Override the key sequence for detaching a container" },
  sigProxy: { type: "bool", default: true, help: "Proxy received signals to the process" },
} as const);

type RunFlags = FlagValues<typeof flags>;

/** Docker's exit codes before a container runs. */
const ENGINE_FAILED = 125;
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

export const run = command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  arguments: { min: 1 },
  optionsFirst: true,
  failureCode: ENGINE_FAILED,
  isVerboseInFailure: true,
  flags,
  async run([image = "", ...words], values, context) {
    const attached = attachedStreams(values);
    if (attached.has("stdin") && values.tty && !context.input.isTerminal) {
      throw new CommandFailure("invalid", "the input device is not a TTY", { exitCode: 1 });
    }
    const size = values.tty ? context.input.size() : undefined;
    const request = containerRequest({
      image,
      command: words,
      flags: values,
      given: context.given,
      attached,
      env: context.env,
      defaults: context.settings().proxyVariables,
      workingDirectory: process.cwd(),
      read: readTextFile,
      consoleSize: size && [size.rows, size.columns],
    });
    const id = await createContainer(context, {
      request,
      image,
      name: values.name,
      platform: platformOf(values.platform, context),
      pull: values.pull ?? "missing",
      isQuiet: values.quiet,
      cidFile: values.cidfile,
    });
    if (!values.detach) return await runAttached(context, { id, attached, values });
    await start(context, id, detachKeysOf(values, context));
    context.out.write(`${id}\n`);
    return 0;
  },
});

/** The streams of `-a`, or those a foreground container has; none when detached. @throws {EngineError} invalid */
function attachedStreams(values: RunFlags): Set<string> {
  const names = values.attach.map((name) => name.toLowerCase());
  const wrong = names.find((name) => !["stdin", "stdout", "stderr"].includes(name));
  if (wrong !== undefined) {
    throw new EngineError(
      "invalid",
      `invalid argument "${wrong}" for "-a, --attach" flag: valid streams are STDIN, STDOUT and STDERR`,
    );
  }
  if (values.detach) {
    if (names.length > 0)
      throw new EngineError("invalid", "conflicting options: cannot specify both --attach and --detach");
    return new Set();
  }
  if (names.length > 0) return new Set(names);
  return new Set(values.interactive ? ["stdin", "stdout", "stderr"] : ["stdout", "stderr"]);
}

interface AttachedRun {
  readonly id: string;
  readonly attached: ReadonlySet<string>;
  readonly values: RunFlags;
}

function detachKeysOf({ detachKeys }: RunFlags, context: CommandContext): string | undefined {
  return detachKeys ?? context.settings().detachKeys;
}

/** Attach and wait are open before the start, so that neither the first byte nor the exit can be missed. */
async function runAttached(context: CommandContext, { id, attached, values }: AttachedRun): Promise<number> {
  const { client } = context;
  const { tty } = values;
  const detachKeys = detachKeysOf(values, context);
  const takesInput = attached.has("stdin");
  const has = (name: string): boolean => attached.has(name);
  using proxy = values.sigProxy
    ? new SignalProxy(context, (name) => client.killContainer(id, name))
    : undefined;
  const [stream, { result }] = await Promise.all([
    client.attachContainer(id, {
      stdin: takesInput,
      stdout: has("stdout"),
      stderr: has("stderr"),
      detachKeys,
    }),
    client.waitContainer(id, values.rm ? "removed" : "next-exit"),
  ]);
  result.catch(() => undefined);
  using session = new StreamSession(context, { stream, hasTty: tty, takesInput, detachKeys });
  const output = session.run();
  output.catch(() => undefined);
  await start(context, id, detachKeys);
  proxy?.started();
  using _size = tty ? followTerminalSize(context, (size) => client.resizeContainer(id, size)) : undefined;
  await Promise.race([output, ...(proxy ? [proxy.gaveUp] : [])]);
  if (session.isDetached) {
    context.error.write("read escape sequence\n");
    return 0;
  }
  return exitCode(await Promise.race([result, ...(proxy ? [proxy.gaveUp] : [])]));
}

function exitCode({ StatusCode, Error: failure }: ContainerWaitResponse): number {
  if (failure?.Message) throw new EngineError("internal", failure.Message);
  return StatusCode;
}

async function start(context: CommandContext, id: string, detachKeys: string | undefined): Promise<void> {
  try {
    await context.client.startContainer(id, detachKeys);
  } catch (error) {
    throw startFailure(error);
  }
}

/** Docker's client reads from the engine's text whether the command was not found or may not be run. */
function startFailure(error: unknown): unknown {
  const message = errorMessage(error);
  const isMissing =
    message.includes("executable file not found") || message.includes("no such file or directory");
  const exitCode_ = isMissing
    ? NOT_FOUND
    : /permission denied|is a directory/.test(message)
      ? NOT_EXECUTABLE
      : ENGINE_FAILED;
  if (!(error instanceof EngineError) || exitCode_ === ENGINE_FAILED) return error;
  return new CommandFailure(error.kind, `Error response from daemon: ${message}`, {
    exitCode: exitCode_,
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
