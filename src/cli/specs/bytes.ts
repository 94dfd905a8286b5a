import { EngineError } from "#base/errors.ts";

const UNITS = "bkmgtp";

/**
 * `512m`, `1.5g`, `64MiB`, `1048576`: bytes, binary units whatever they are called (docker/go-units `RAMInBytes`); `-1`
 * is let through, for "no limit".
 *
 * @throws {EngineError} invalid
 */
export function parseBytes(text: string): number {
  if (text === "-1") return -1;
  const match = /^(\d+(?:\.\d+)?) ?([a-z]*)$/i.exec(text.trim());
  if (!match) throw new EngineError("invalid", `invalid size: '${text}'`);
  const suffix = (match[2] ?? "").toLowerCase();
  const unit = suffix === "" ? 0 : UNITS.indexOf(suffix.charAt(0));
  const isKnown = /^(|b|[kmgtp](i?b)?)$/.test(suffix);
  if (unit === -1 || !isKnown) throw new EngineError("invalid", `invalid suffix: '${match[2] ?? ""}'`);
  return Math.floor(Number(match[1]) * 1024 ** unit);
}
