import { EngineError } from "#base/errors.ts";

/** `--cpus`: a decimal number, at most nine places. @throws {EngineError} invalid */
export function parseDecimal(text: string): number {
  if (!/^\d+(\.\d*)?$|^\.\d+$/.test(text)) {
    throw new EngineError("invalid", `failed to parse ${text} as a rational number`);
  }
  if ((text.split(".")[1] ?? "").length > 9) throw new EngineError("invalid", "value is too precise");
  return Number(text);
}
