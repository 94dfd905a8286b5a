import { EngineError } from "#base/errors.ts";
import type { HostConfig } from "../host-config.ts";

/** How much of a log is kept. */
export interface LogLimits {
  /** A segment that has grown to this is followed by a new one. */
  readonly maxBytes: number;
  /** The one being written included. */
  readonly maxFiles: number;
  /** Whether segments that are complete are compressed. */
  readonly compresses: boolean;
}

type LogConfig = HostConfig["logConfig"];

/** Docker's `local` driver; here of `json-file` too, whose own default is a log without bounds. */
const DEFAULT_MAX_BYTES = 20_000_000;
const DEFAULT_MAX_FILES = 5;

/** More than these are of no use and hold descriptors while they are read. */
const MOST_FILES = 1000;

/** What each driver takes. moby daemon/logger/jsonfilelog, daemon/logger/local, daemon/logger/factory.go. */
const DRIVER_OPTIONS: Readonly<Record<string, readonly string[]>> = {
  "json-file": ["max-size", "max-file", "compress", "labels", "labels-regex", "env", "env-regex", "tag"],
  local: ["max-size", "max-file", "compress"],
};
const COMMON_OPTIONS = ["mode", "max-buffer-size"];

/**
 * The limits that a `LogConfig` asks for; `undefined` for the driver `none`. The other options are checked here too:
 * `mode` changes nothing, because a log is written to the page cache, and no reader ever holds its writer up.
 *
 * @throws {EngineError} invalid, in Docker's words; unsupported for regular expressions, which could hold the engine up
 */
export function parseLogConfig({ type = "json-file", config }: LogConfig): LogLimits | undefined {
  if (type === "none") return undefined;
  const known = DRIVER_OPTIONS[type];
  if (known === undefined) {
    throw new EngineError("invalid", `logger: no log driver named '${type}' is registered`);
  }
  for (const option of config.keys()) {
    if (known.includes(option) || COMMON_OPTIONS.includes(option)) continue;
    throw new EngineError("invalid", `unknown log opt '${option}' for ${type} log driver`);
  }
  for (const option of ["labels-regex", "env-regex"]) {
    if (!config.get(option)) continue;
    throw new EngineError(
      "unsupported",
      `Cannot apply log option "${option}": name the keys by "labels" or "env"`,
    );
  }
  checkMode(config);
  checkTag(config.get("tag") ?? "");
  return limitsOf(type, config);
}

function limitsOf(type: string, config: LogConfig["config"]): LogLimits {
  const size = config.get("max-size");
  const files = config.get("max-file");
  const maxBytes = size === undefined ? DEFAULT_MAX_BYTES : parseSize("max-size", size);
  // Who bounds a json-file by its size alone gets what Docker gives: one file.
  const fallback = type === "json-file" && size !== undefined ? 1 : DEFAULT_MAX_FILES;
  const maxFiles = files === undefined ? fallback : parseFiles(files);
  const compresses = parseFlag("compress", config.get("compress")) ?? (type === "local" && maxFiles > 1);
  if (compresses && maxFiles < 2) {
    throw new EngineError(
      "invalid",
      "compress cannot be true when max-file is less than 2 or max-size is not set",
    );
  }
  return { maxBytes, maxFiles, compresses };
}

/** `10m`, `1.5 GB`: decimal, as Docker's `units.FromHumanSize`. */
function parseSize(option: string, text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * 1000 ** " kmgtp".indexOf(unit.toLowerCase() || " "));
  if (number === "") throw new EngineError("invalid", `invalid value for ${option}: invalid size: '${text}'`);
  if (bytes <= 0 || !Number.isSafeInteger(bytes)) {
    throw new EngineError("invalid", `invalid value for ${option}: '${text}' must be a positive number`);
  }
  return bytes;
}

function parseFiles(text: string): number {
  const files = /^[+-]?\d{1,9}$/.test(text) ? Number(text) : undefined;
  if (files === undefined)
    throw new EngineError("invalid", `invalid value for max-file: '${text}' is not a number`);
  if (files < 1) throw new EngineError("invalid", "max-file cannot be less than 1");
  if (files > MOST_FILES) throw new EngineError("invalid", `max-file cannot be more than ${MOST_FILES}`);
  return files;
}

/** Go's `strconv.ParseBool`. */
function parseFlag(option: string, text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return false;
  throw new EngineError("invalid", `invalid value for ${option}: '${text}' is neither true nor false`);
}

function checkMode(config: LogConfig["config"]): void {
  const mode = config.get("mode") ?? "";
  if (!["", "blocking", "non-blocking"].includes(mode)) {
    throw new EngineError("invalid", `logger: logging mode not supported: ${mode}`);
  }
  const buffer = config.get("max-buffer-size");
  if (buffer === undefined) return;
  if (mode !== "non-blocking") {
    throw new EngineError(
      "invalid",
      "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
    );
  }
  parseSize("max-buffer-size", buffer);
}

function checkTag(tag: string): void {
  const rest = tag.replaceAll(TAG_FIELD, "");
  if (!rest.includes("{{")) return;
  throw new EngineError(
    "unsupported",
    `Cannot apply log option "tag": "${tag}" holds more than ${TAG_FIELDS.map((name) => `{{.${name}}}`).join(" ")}`,
  );
}

/** What of moby daemon/logger/loginfo.go a tag may name. */
const TAG_FIELDS = ["ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName"] as const;

export type TagField = (typeof TAG_FIELDS)[number];

/** One `{{.Name}}` of a tag. */
export const TAG_FIELD: RegExp = new RegExp(`\\{\\{ ?\\.(${TAG_FIELDS.join("|")}) ?\\}\\}`, "g");
