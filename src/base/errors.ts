/** What went wrong, as far as a caller may act on it. `daemon/http/error-status.ts` maps each to an HTTP status. */
export type ErrorKind =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "unavailable"
  | "unsupported"
  | "cancelled"
  | "corrupt"
  | "internal";

export interface EngineErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The command or step that mends it, shown to people on a line of its own. */
  readonly hint?: string;
}

/** The one error that rooms throw on purpose; anything else that is thrown is a defect and becomes a 500. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;

  constructor(kind: ErrorKind, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.hint = options.hint;
  }

  /** True when `error` is an `EngineError`, of that kind when one is given. */
  static is(error: unknown, kind?: ErrorKind): error is EngineError {
    return error instanceof EngineError && (kind === undefined || error.kind === kind);
  }
}

/** True when `error` carries the errno `code` (`"ENOENT"`), from Node's `fs` or from `linux/`. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

/** The text of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
