import { writeSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { EngineError, errorMessage, isErrno } from "#base/errors.ts";
import { jsonLogger, type Logger } from "#base/log.ts";
import type { Kernel } from "#linux/kernel.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { layout } from "#store/layout.ts";
import { type Configuration, DAEMON_USAGE, parseConfiguration } from "./configuration.ts";
import { Engine } from "./engine.ts";
import { ALREADY_RUNNING, lockRoot } from "./engine-lock.ts";
import { limitHeap } from "./heap-size.ts";
import { ApiServer } from "./http/api-server.ts";

/** `darse daemon`: runs the engine until SIGTERM or SIGINT. Containers are left running. Resolves to the exit code. */
export async function runDaemon(args: readonly string[]): Promise<number> {
  try {
    const configuration = parseConfiguration(args);
    if (configuration === "help") {
      process.stdout.write(DAEMON_USAGE);
      return 0;
    }
    await serve(configuration, args);
    return 0;
  } catch (error) {
    const hint = EngineError.is(error) && error.hint !== undefined ? `\n${error.hint}` : "";
    process.stderr.write(`darse daemon: ${errorMessage(error)}${hint}\n`);
    return EngineError.is(error, "conflict") ? ALREADY_RUNNING : 1;
  }
}

async function serve(configuration: Configuration, args: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new EngineError(
      "forbidden",
      "Cannot run an engine as this user: it makes mounts and namespaces, which takes root",
      {
        hint: "sudo darse daemon",
      },
    );
  }
  limitHeap(args);
  const stop = signalled("SIGTERM", "SIGINT");
  const log = jsonLogger((line) => writeSync(2, line), configuration.logLevel);
  const paths = layout(configuration.root, configuration.run);
  const kernel = openKernel();
  using _lock = await lockRoot(kernel, configuration.root, configuration.sockets[0] ?? paths.socket);
  joinRootCgroups(kernel, log);
  await using engine = await Engine.open({ configuration, paths, kernel, log });
  await using server = new ApiServer(engine.routes, log, engine.anticipate);
  await writeFile(paths.pidFile, `${process.pid}\n`);
  for (const socket of configuration.sockets) await server.listen(socket);
  log.info("the engine answers", { sockets: configuration.sockets, root: configuration.root });
  log.info("stopping", { signal: await stop });
  await Promise.all([paths.pidFile, ...configuration.sockets].map((path) => rm(path, { force: true })));
}

/** Else containers would be held to the limits of the shell that started us. A host that does not let us is worked with. */
function joinRootCgroups(kernel: Kernel, log: Logger): void {
  try {
    kernel.joinRootCgroups();
  } catch (error) {
    if (!isErrno(error, "EACCES", "EBUSY", "ENOENT", "EOPNOTSUPP", "EPERM", "EROFS")) throw error;
    log.warn("containers may be held to the limits of whoever started the engine", { error });
  }
}

function signalled(...signals: NodeJS.Signals[]): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
  });
}
