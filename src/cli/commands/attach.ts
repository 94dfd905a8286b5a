import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { SignalProxy } from "../signal-proxy.ts";
import { followTerminalSize, StreamSession } from "../stream-session.ts";

export const attach = command({
  usage: "[OPTIONS] CONTAINER",
  arguments: { min: 1, max: 1 },
  flags: {
    detachKeys: { type: "string", help: "Override the key sequence for detaching a container" },
    noStdin: { type: "bool", help: "Do not attach STDIN" },
    sigProxy: { type: "bool", default: true, help: "Proxy all received signals to the process" },
  },
  async run([id = ""], flags, context) {
    const { noStdin, sigProxy } = flags;
    const detachKeys = flags.detachKeys ?? context.settings().detachKeys;
    const { client } = context;
    const { Id, State, Config } = await client.inspectContainer(id);
    if (!State.Running) {
      throw new EngineError("conflict", "cannot attach to a stopped container, start it first");
    }
    if (State.Paused)
      throw new EngineError("conflict", "cannot attach to a paused container, unpause it first");
    if (State.Restarting) {
      throw new EngineError("conflict", "cannot attach to a restarting container, wait until it is running");
    }
    const takesInput = Config.OpenStdin && !noStdin;
    const [stream, { result }] = await Promise.all([
      client.attachContainer(Id, { stdin: takesInput, stdout: true, stderr: true, detachKeys }),
      client.waitContainer(Id),
    ]);
    using session = new StreamSession(context, { stream, hasTty: Config.Tty, takesInput, detachKeys });
    using proxy =
      sigProxy && !Config.Tty
        ? new SignalProxy(context, (name) => client.killContainer(Id, name))
        : undefined;
    proxy?.started();
    using _size = Config.Tty
      ? followTerminalSize(context, (size) => client.resizeContainer(Id, size))
      : undefined;
    await Promise.race([session.run(), ...(proxy ? [proxy.gaveUp] : [])]);
    if (session.isDetached) {
      context.error.write("read escape sequence\n");
      return 0;
    }
    const { StatusCode, Error: failure } = await result;
    if (failure?.Message) throw new EngineError("internal", failure.Message);
    return StatusCode;
  },
});
