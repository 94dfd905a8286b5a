import type { Connection, Dial } from "#api/dial.ts";
import { formatHost, type Host } from "#api/host.ts";

/**
 * A `dial` whose first connection to `host` is begun now, so that the engine takes it up, and gets ready to start
 * a process, while the rest of the command is still loaded. What comes of it counts only when it is asked for: where it
 * failed, the connection is tried again, and that failure is told.
 */
export function headStart(dial: Dial, host: Host): Dial {
  let early: Promise<Connection | undefined> | undefined = dial(host).catch(() => undefined);
  return async (asked) => {
    const begun = formatHost(asked) === formatHost(host) ? early : undefined;
    if (begun) early = undefined;
    return (await begun) ?? (await dial(asked));
  };
}
