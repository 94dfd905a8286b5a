/** Where "now" comes from, so that tests can say what time it is. Epoch milliseconds. */
export type Clock = () => number;

export const systemClock: Clock = () => Date.now();

/** RFC 3339 in UTC, as the Engine API writes times; `undefined` is the API's zero time. */
export function rfc3339(epochMs: number | undefined): string {
  return epochMs === undefined ? "0001-01-01T00:00:00Z" : new Date(epochMs).toISOString();
}
