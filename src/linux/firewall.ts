import { EngineError } from "#base/errors.ts";
import { run } from "./process.ts";

/** Largest part of nft's own complaint that goes into an error. */
const COMPLAINT_CHARACTERS = 600;

/**
 * Gives `text` to `nft -f -`: all of it takes effect at once, or nothing does.
 *
 * @throws {EngineError} unavailable when nft is not installed, internal with nft's own words when it refuses
 */
export async function applyRules(text: string): Promise<void> {
  const { exitCode, stderr } = await run(["nft", "-f", "-"], { input: text });
  if (exitCode === 0) return;
  const complaint = stderr.trim().slice(0, COMPLAINT_CHARACTERS);
  throw new EngineError("internal", `Cannot apply firewall rules: nft answered ${exitCode}: ${complaint}`);
}
