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

/** The body of an error answer: what went wrong and, on a line of its own, what mends it, so that every client shows both. */
export function errorBody(error: unknown): { readonly message: string } {
  const hint = EngineError.is(error) ? error.hint : undefined;
  const message = errorMessage(error);
  return { message: hint === undefined ? message : `${message}\n${hint}` };
}
