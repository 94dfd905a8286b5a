import { EngineError } from "./errors.ts";

const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** `1h15m30.5s` in nanoseconds (Go's `time.ParseDuration`). @throws {EngineError} invalid */
export function parseDuration(text: string): number {
  const body = text.replace(/^[+-]/, "");
  const sign = text.startsWith("-") ? -1 : 1;
  if (body === "0") return 0;
  let rest = body;
  let total = 0;
  while (rest !== "") {
    const match = /^(\d+\.?\d*|\.\d+)([a-zµμ]*)/.exec(rest);
    if (!match) throw new EngineError("invalid", `time: invalid duration "${text}"`);
    const [part, number = "", unit = ""] = match;
    if (unit === "") throw new EngineError("invalid", `time: missing unit in duration "${text}"`);
    const factor = NANOSECONDS[unit];
    if (factor === undefined) {
      throw new EngineError("invalid", `time: unknown unit "${unit}" in duration "${text}"`);
    }
    total += Number(number) * factor;
    rest = rest.slice(part.length);
  }
  if (body === "") throw new EngineError("invalid", `time: invalid duration "${text}"`);
  return sign * Math.round(total);
}
