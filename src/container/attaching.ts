import { EngineError } from "#base/errors.ts";
import { containerEvent } from "./events.ts";
import type { Attachment } from "./neighbours.ts";
import { isAlive } from "./state.ts";
import { type ClientStreams, runSession, type SessionOptions } from "./stream-session.ts";
import type { World } from "./world.ts";

export type AttachOptions = Pick<SessionOptions, "stdin" | "stdout" | "stderr" | "detachKeys">;

/** A client that is about to be carried; nothing was sent to it yet. */
export interface AttachSession {
  readonly hasTty: boolean;
  /** Resolves when it is over: the output ended, the client left or detached, or the container went away unstarted. */
  run(client: ClientStreams): Promise<void>;
}

/**
 * Joins a client to a container's streams. To one that does not run yet it is joined before its process starts, so
 * that not a byte is lost. Every client has its own connection to the container's monitor, which sends each the whole
 * output.
 *
 * @throws {EngineError} not-found; conflict when the container is paused or waits for its restart
 */
export function attachTo(
  world: World,
  reference: string,
  options: AttachOptions,
  signal: AbortSignal,
): AttachSession {
  const record = world.registry.get(reference);
  const { id, config, state } = record;
  if (state.status === "paused") {
    throw new EngineError("conflict", `container ${id} is paused, unpause the container before attach`);
  }
  if (state.status === "restarting") {
    throw new EngineError("conflict", `container ${id} is restarting, wait until the container is running`);
  }
  const stdin = options.stdin && config.openStdin;
  const attaching: Promise<Attachment | undefined> = isAlive(state)
    ? world.runtime.attach(id, { stdin })
    : world.lives.get(id).nextStart({ stdin }, signal);
  // Awaited by `run`; a failure before that is not lost, only later.
  attaching.catch(() => undefined);
  world.emit(containerEvent(record, "attach"));
  return {
    hasTty: config.tty,
    async run(client) {
      const attachment = await attaching;
      if (attachment === undefined) return;
      await using connection = attachment;
      const end = await runSession(connection, client, {
        ...options,
        stdin,
        detachKeys: config.tty ? options.detachKeys : undefined,
        closesStdin: config.stdinOnce,
        signal,
      });
      const now = world.registry.byId(id);
      if (end === "detached" && now) world.emit(containerEvent(now, "detach"));
    },
  };
}
