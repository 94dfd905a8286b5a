/** One line of `GET /events`. */
export interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "local" | "swarm";
  /** Epoch seconds, and the same time in nanoseconds (beyond the safe range: good for display and order only). */
  readonly time: number;
  readonly timeNano: number;
  /** API below 1.52: the same facts at the top level, for containers and images. */
  readonly status?: string | undefined;
  readonly id?: string | undefined;
  readonly from?: string | undefined;
}
