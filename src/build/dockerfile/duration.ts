const UNIT_NS: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

/** Go's `1h30m`, `1.5s`, `0`; `undefined` when the text is not a duration. Nanoseconds. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > 64) return undefined;
  const sign = text.startsWith("-") ? -1 : 1;
  const rest = text.replace(/^[+-]/, "");
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)([a-zµ]+)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join("") !== rest) return undefined;
  let total = 0;
  for (const [, amount = "", unit = ""] of parts) {
    const scale = UNIT_NS.get(unit);
    if (scale === undefined) return undefined;
    total += Number(amount) * scale;
  }
  return sign * Math.round(total);
}

/** As Go prints a duration: `30s`, `1m30s`, `1.5s`, `100ms`, `0s`. */
export function formatDuration(ns: number): string {
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${ns / 1e3}µs`;
  if (ns < 1e9) return `${ns / 1e6}ms`;
  const hours = Math.floor(ns / 3600e9);
  const minutes = Math.floor((ns % 3600e9) / 60e9);
  const seconds = (ns % 60e9) / 1e9;
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
