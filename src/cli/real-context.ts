import { read } from "node:fs";
import { EngineClient } from "#api/client.ts";
import type { Dial } from "#api/dial.ts";
import { formatHost } from "#api/host.ts";
import { isErrno } from "#base/errors.ts";
import { readSettings, type Settings } from "./config/settings.ts";
import type { Context } from "./context.ts";
import { startingDial } from "./engine-start.ts";
import type { Target } from "./global-flags.ts";
import type { Input } from "./input.ts";
import { isTerminal, type Output } from "./output.ts";

const INPUT_CHUNK = 128 * 1024;

/** The world of a real process; nothing is connected by this, only by the first call. */
export function realContext(
  target: Target,
  { dial, ...outputs }: { readonly out: Output; readonly error: Output; readonly dial: Dial },
): Context {
  let settings: Settings | undefined;
  const dialing = target.start ? startingDial(dial, target.start) : dial;
  return {
    ...outputs,
    client: new EngineClient({ host: target.host, dial: dialing, apiVersion: target.apiVersion }),
    dial: () => dialing(target.host),
    host: formatHost(target.host),
    configFolder: target.configFolder,
    settings: () => {
      settings ??= readSettings(target.configFolder, {
        host: formatHost(target.host),
        warn: (text) => outputs.error.write(text),
      });
      return settings;
    },
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
      if (isTerminal(0)) for await (const chunk of process.stdin) yield chunk;
      else yield* readDescriptor(0);
    },
  };
}

/** Files and pipes are read directly, in larger pieces than a stream takes. */
async function* readDescriptor(fd: number): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const buffer = new Uint8Array(INPUT_CHUNK);
    try {
      const length = await new Promise<number>((resolve, reject) => {
        read(fd, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count)));
      });
      if (length === 0) return;
      yield buffer.subarray(0, length);
    } catch (error) {
      // A pipe that another program has set to non-blocking and is empty.
      if (!isErrno(error, "EAGAIN")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
