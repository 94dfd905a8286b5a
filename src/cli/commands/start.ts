import { EngineError } from "#base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";
import { SignalProxy } from "../signal-proxy.ts";
import { followTerminalSize, StreamSession } from "../stream-session.ts";

export const start = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: {
    attach: { type: "bool", short: "a", help: "Attach STDOUT/STDERR and forward signals" },
    detachKeys: { type: "string", help: "Override the key sequence for detaching a container" },
    interactive: { type: "bool", short: "i", help: "Attach container's STDIN" },
  },
  async run(args, flags, context) {
    const { attach, interactive } = flags;
    const detachKeys = flags.detachKeys ?? context.settings().detachKeys;
    if (!attach && !interactive) {
      return await forEachArgument(args, context, async (id) => {
        await context.client.startContainer(id, detachKeys);
        return id;
      });
    }
    const [id = "", ...more] = args;
    if (more.length > 0)
      throw new EngineError("invalid", "you cannot start and attach multiple containers at once");
    return await startAttached(context, { id, interactive, detachKeys });
  },
});

async function startAttached(
  context: CommandContext,
  options: { readonly id: string; readonly interactive: boolean; readonly detachKeys: string | undefined },
): Promise<number> {
  const { client } = context;
  const { detachKeys } = options;
  const { Id, Config, HostConfig } = await client.inspectContainer(options.id);
  const takesInput = Config.OpenStdin && options.interactive;
  const [stream, { result }] = await Promise.all([
    client.attachContainer(Id, { stdin: takesInput, stdout: true, stderr: true, detachKeys }),
    client.waitContainer(Id, HostConfig.AutoRemove ? "removed" : "next-exit"),
  ]);
  using session = new StreamSession(context, { stream, hasTty: Config.Tty, takesInput, detachKeys });
  using proxy = Config.Tty ? undefined : new SignalProxy(context, (name) => client.killContainer(Id, name));
  const output = session.run();
  output.catch(() => undefined);
  await client.startContainer(Id, detachKeys);
  proxy?.started();
  using _size = Config.Tty
    ? followTerminalSize(context, (size) => client.resizeContainer(Id, size))
    : undefined;
  await Promise.race([output, ...(proxy ? [proxy.gaveUp] : [])]);
  if (session.isDetached) {
    context.error.write("read escape sequence\n");
    return 0;
  }
  const { StatusCode, Error: failure } = await result;
  if (failure?.Message) throw new EngineError("internal", failure.Message);
  return StatusCode;
}
