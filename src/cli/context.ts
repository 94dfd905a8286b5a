import type { EngineClient } from "#api/client.ts";
import type { Connection } from "#api/dial.ts";
import type { Settings } from "./config/settings.ts";
import type { Output } from "./output.ts";
import type { Input } from "./input.ts";

/** The world as a command sees it; tests pass their own. */
export interface Context {
  readonly client: EngineClient;
  /** A connection to the engine of its own, for what is not one of the client's calls. */
  dial(): Promise<Connection>;
  /** Where the engine is, for messages: `unix:///run/darse/darse.sock`. */
  readonly host: string;
  readonly out: Output;
  readonly error: Output;
  readonly input: Input;
  /** The folder of client settings; it need not be there. */
  readonly configFolder: string;
  /** What stands in that folder for every call; read when it is asked for. */
  settings(): Settings;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Calls `handle` for each of `signals` until disposed; they no longer end the process then. */
  onSignals(signals: readonly string[], handle: (signal: string) => void): Disposable;
}
