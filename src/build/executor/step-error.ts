import { EngineError } from "#base/errors.ts";

/** A step whose command ended with another code than 0. The text is Docker's. */
export class StepError extends EngineError {
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number) {
    super("invalid", `The command '${args.join(" ")}' returned a non-zero code: ${exitCode}`);
    this.exitCode = exitCode;
  }
}
