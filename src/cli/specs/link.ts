import { EngineError } from "#base/errors.ts";

/** `--link db`, `--link db:alias`. @throws {EngineError} invalid, in Docker's words (docker/cli `opts.ParseLink`) */
export function checkLink(text: string): string {
  if (text === "") throw new EngineError("invalid", "empty string specified for links");
  if (text.split(":").length > 2) throw new EngineError("invalid", `bad format for links: ${text}`);
  return text;
}
