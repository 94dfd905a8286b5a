export type LogLevel = "debug" | "info" | "warn" | "error";

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log: one event a call, a short message and its facts. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  with(fields: LogFields): Logger;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Writes JSON lines (`{"time","level","message",…fields}`) of at least `level` to `write`. */
export function jsonLogger(
  write: (line: string) => void,
  level: LogLevel = "info",
  base: LogFields = {},
): Logger {
  const log = (at: LogLevel, message: string, fields: LogFields = {}): void => {
    if (RANK[at] < RANK[level]) return;
    const line = { time: new Date().toISOString(), level: at, message, ...base, ...fields };
    write(`${JSON.stringify(line, loggable)}\n`);
  };
  return {
    debug: (message, fields) => log("debug", message, fields),
    info: (message, fields) => log("info", message, fields),
    warn: (message, fields) => log("warn", message, fields),
    error: (message, fields) => log("error", message, fields),
    with: (fields) => jsonLogger(write, level, { ...base, ...fields }),
  };
}

/** For tests and short-lived helpers. */
export const silentLogger: Logger = jsonLogger(() => undefined);

function loggable(_key: string, value: unknown): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, cause: value.cause };
  return typeof value === "bigint" ? value.toString() : value;
}
