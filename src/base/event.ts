/** Something that happened, emitted after its state was saved. `daemon/events.ts` gives it time and wire shape. */
export interface EngineEvent {
  readonly type: "container" | "image" | "network" | "volume" | "builder" | "daemon";
  /** Docker's word for it: `create`, `start`, `die`, `exec_start: sh -c true`. */
  readonly action: string;
  /** The full id (or the name, where Docker names by name) of what it happened to. */
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export type Emit = (event: EngineEvent) => void;
