import { ApiError } from "#api/api-error.ts";
import { EngineError, errorMessage } from "#base/errors.ts";

/** What people see of a failure: a sentence, the hint on a line of its own; with `isDebug` the causes too. */
export function describeError(error: unknown, isDebug: boolean): string {
  if (error instanceof AggregateError) {
    return error.errors.map((one) => describeError(one, isDebug)).join("\n");
  }
  const prefix = error instanceof ApiError ? "Error response from daemon: " : "";
  const lines = [prefix + errorMessage(error)];
  const hint = hintFor(error);
  if (hint !== undefined) lines.push(hint);
  if (isDebug) {
    for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) {
      lines.push(`caused by: ${errorMessage(cause)}`);
    }
  }
  return lines.join("\n");
}

function hintFor(error: unknown): string | undefined {
  if (!(error instanceof EngineError)) return undefined;
  if (error.hint !== undefined || error instanceof ApiError) return error.hint;
  if (error.kind === "forbidden" && error.message.startsWith("Cannot connect")) {
    return "The engine's socket belongs to root; run the command as root, for example: sudo darse ps";
  }
  if (error.kind === "unavailable" && error.message.startsWith("Cannot connect")) {
    return "Is the engine running? Start it by: darse daemon";
  }
  return undefined;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
