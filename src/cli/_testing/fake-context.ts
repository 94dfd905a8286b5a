import type { EngineClient } from "#api/client.ts";
import type { Command } from "../command.ts";
import { NO_SETTINGS, type Settings } from "../config/settings.ts";
import type { Context } from "../context.ts";
import type { Output } from "../output.ts";

/** Keeps what is printed. */
export class CapturedOutput implements Output {
  readonly isTerminal: boolean;
  text = "";

  constructor(isTerminal = false) {
    this.isTerminal = isTerminal;
  }

  columns(): number {
    return 80;
  }

  write(text: string): void {
    this.text += text;
  }

  async stream(data: Uint8Array): Promise<void> {
    this.text += new TextDecoder().decode(data);
    await Promise.resolve();
  }
}

export interface FakeWorld extends Context {
  readonly out: CapturedOutput;
  readonly error: CapturedOutput;
  /** Sends our process a signal. */
  signal(name: string): void;
}

export interface WorldOptions {
  readonly hasTerminal?: boolean;
  readonly configFolder?: string;
  readonly settings?: Partial<Settings>;
  readonly env?: Readonly<Record<string, string>>;
}

/** A world with captured output, and `input` as standard input. */
export function fakeWorld(client: EngineClient, input = "", options: WorldOptions = {}): FakeWorld {
  const handlers = new Set<{
    readonly signals: readonly string[];
    readonly handle: (signal: string) => void;
  }>();
  return {
    client,
    dial: () => Promise.reject(new Error("the test has no connection of its own")),
    host: "unix:///fake",
    settings: () => ({ ...NO_SETTINGS, ...options.settings }),
    configFolder: options.configFolder ?? "/nonexistent",
    out: new CapturedOutput(options.hasTerminal),
    error: new CapturedOutput(options.hasTerminal),
    input: {
      isTerminal: options.hasTerminal ?? false,
      raw: () => ({ [Symbol.dispose]: () => undefined }),
      size: () => (options.hasTerminal ? { rows: 24, columns: 80 } : undefined),
      async *[Symbol.asyncIterator]() {
        if (input !== "") yield await Promise.resolve(new TextEncoder().encode(input));
      },
    },
    env: { HOME: "/root", ...options.env },
    now: () => Date.parse("2026-01-01T12:00:00Z"),
    onSignals: (signals, handle) => {
      const entry = { signals, handle };
      handlers.add(entry);
      return { [Symbol.dispose]: () => void handlers.delete(entry) };
    },
    signal: (name) => {
      for (const { signals, handle } of handlers) if (signals.includes(name)) handle(name);
    },
  };
}

/** Runs a command as `main.ts` does, without its error texts. */
export async function runInWorld(called: Command, argv: readonly string[], world: Context): Promise<number> {
  const prepared = called.prepare("test", argv);
  if (prepared.kind === "help") throw new Error("help was asked for");
  return await prepared.run(world);
}
