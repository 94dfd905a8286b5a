import { EngineClient } from "#api/client.ts";
import { dial } from "#api/dial.ts";
import { formatHost } from "#api/host.ts";
import type { Context } from "./context.ts";
import { startingDial } from "./engine-start.ts";
import type { Target } from "./global-flags.ts";
import type { Input } from "./input.ts";
import { isTerminal, type Output } from "./output.ts";

/** The world of a real process; nothing is connected before the first call. */
export function realContext(
  target: Target,
  outputs: { readonly out: Output; readonly error: Output },
): Context {
  return {
    ...outputs,
    client: new EngineClient({
      host: target.host,
      dial: target.start ? startingDial(dial, target.start) : dial,
      apiVersion: target.apiVersion,
    }),
    host: formatHost(target.host),
    input: standardInput(),
    env: process.env,
    now: () => Date.now(),
    onSignals,
  };
}

function onSignals(signals: readonly string[], handle: (signal: string) => void): Disposable {
  for (const signal of signals) process.on(signal, handle);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, handle);
    },
  };
}

/** `process.stdin`, touched only when it is read: it is slow to set up, and reading would keep the process alive. */
function standardInput(): Input {
  return {
    get isTerminal() {
      return isTerminal(0);
    },
    raw: () => {
      process.stdin.setRawMode(true);
      return { [Symbol.dispose]: () => void process.stdin.setRawMode(false) };
    },
    size: () => {
      const [columns, rows] = process.stdout.isTTY ? process.stdout.getWindowSize() : [0, 0];
      return columns > 0 && rows > 0 ? { rows, columns } : undefined;
    },
    async *[Symbol.asyncIterator]() {
      for await (const chunk of process.stdin) yield chunk;
    },
  };
}
