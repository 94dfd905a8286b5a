import { type ErrorKind, EngineError } from "#base/errors.ts";

const KIND: Readonly<Record<number, ErrorKind>> = {
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  501: "unsupported",
  503: "unavailable",
};

/** What the engine answered instead of doing it: its own message, the kind by its status. */
export class ApiError extends EngineError {
  readonly status: number;

  constructor(status: number, message: string) {
    super(KIND[status] ?? "internal", message);
    this.status = status;
  }

  /** From the body of an answer: `{"message"}`, what mends it on a line of its own; else the text as it is. */
  static from(status: number, body: string): ApiError {
    try {
      const decoded: unknown = JSON.parse(body);
      if (typeof decoded === "object" && decoded !== null && "message" in decoded) {
        return new ApiError(status, String(decoded.message));
      }
    } catch {
      // Not JSON: a proxy or a very old server; its text is the best there is.
    }
    return new ApiError(status, body.trim() === "" ? `the engine answered status ${status}` : body.trim());
  }
}
