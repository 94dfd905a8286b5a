import { EngineError, type ErrorKind, errorMessage } from "#base/errors.ts";

/** The only place an error becomes a status. */
const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  cancelled: 500,
  corrupt: 500,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
};

export function httpStatus(error: unknown): number {
  return error instanceof EngineError ? STATUS[error.kind] : 500;
}

/** The body of an error answer: Docker's `message`, and `hint` beside it, which other clients ignore. */
export function errorBody(error: unknown): { readonly message: string; readonly hint?: string } {
  const hint = error instanceof EngineError ? error.hint : undefined;
  return { message: errorMessage(error), ...(hint !== undefined && { hint }) };
}
