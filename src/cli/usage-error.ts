/** Wrong number or form of arguments: shown with the usage line, exit code 1. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
