import { EngineError, type ErrorKind } from "#base/errors.ts";

/** A failure with an exit code of its own. */
export class CommandFailure extends EngineError {
  readonly exitCode: number;

  constructor(
    kind: ErrorKind,
    message: string,
    options: { exitCode: number; cause?: unknown; hint?: string },
  ) {
    super(kind, message, options);
    this.exitCode = options.exitCode;
  }
}
