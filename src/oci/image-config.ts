import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import { type DiffId, parseDiffId } from "./digest.ts";
import { normalize, type Platform } from "./platform.ts";

/** What a container of the image starts with; times are nanoseconds, as on the wire. */
export interface HealthcheckConfig {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", text]`; empty inherits. */
  readonly test?: readonly string[];
  readonly intervalNs?: number;
  readonly timeoutNs?: number;
  readonly startPeriodNs?: number;
  readonly startIntervalNs?: number;
  readonly retries?: number;
}

/** The execution half of an image's configuration. OCI image-spec, config.md; Docker's extra fields included. */
export interface ImageExecutionConfig {
  readonly user?: string;
  /** `80/tcp`, sorted. */
  readonly exposedPorts?: readonly string[];
  /** `KEY=value`, in order. */
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Paths, sorted. */
  readonly volumes?: readonly string[];
  readonly workingDir?: string;
  readonly labels?: ReadonlyMap<string, string>;
  readonly stopSignal?: string;
  readonly argsEscaped?: boolean;
  readonly healthcheck?: HealthcheckConfig;
  readonly shell?: readonly string[];
  readonly onBuild?: readonly string[];
}

export interface HistoryEntry {
  /** RFC 3339. */
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly emptyLayer?: boolean;
}

export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly platform: Platform;
  readonly config: ImageExecutionConfig;
  readonly diffIds: readonly DiffId[];
  readonly history: readonly HistoryEntry[];
}

export const MAX_CONFIG_BYTES = 8 * 1024 * 1024;

/** @throws {EngineError} invalid, naming the field. */
export function decodeImageConfig(bytes: Uint8Array): ImageConfig {
  if (bytes.byteLength > MAX_CONFIG_BYTES) {
    throw new EngineError(
      "invalid",
      `Cannot read image config: ${bytes.byteLength} bytes are more than ${MAX_CONFIG_BYTES}`,
    );
  }
  const fields = new Fields(parseJson(new TextDecoder().decode(bytes), "image config"), "image config");
  const variant = fields.string("variant");
  const osVersion = fields.string("os.version");
  return {
    ...optional("created", fields.string("created")),
    ...optional("author", fields.string("author")),
    platform: normalize({
      os: fields.string("os") || "linux",
      architecture: fields.string("architecture") ?? "",
      ...(variant && { variant }),
      ...(osVersion && { "os.version": osVersion }),
    }),
    config: decodeExecutionConfig(fields.object("config")),
    diffIds: (fields.object("rootfs").strings("diff_ids") ?? []).map(parseDiffId),
    history: fields.list("history", decodeHistory) ?? [],
  };
}

/** The bytes of a config that we make: key order is fixed, so that equal input gives one digest. */
export function encodeImageConfig(image: ImageConfig): Uint8Array {
  const document = {
    ...optional("created", image.created),
    ...optional("author", image.author),
    architecture: image.platform.architecture,
    ...optional("variant", image.platform.variant),
    os: image.platform.os,
    ...optional("os.version", image.platform["os.version"]),
    config: encodeExecutionConfig(image.config),
    rootfs: { type: "layers", diff_ids: image.diffIds },
    history: image.history.map((entry) => ({
      ...optional("created", entry.created),
      ...optional("created_by", entry.createdBy),
      ...optional("author", entry.author),
      ...optional("comment", entry.comment),
      ...(entry.emptyLayer && { empty_layer: true }),
    })),
  };
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Reads the `config` object; the Engine API's `Config` has the same keys. */
export function decodeExecutionConfig(fields: Fields): ImageExecutionConfig {
  const labels = fields.stringMap("Labels");
  const health = fields.has("Healthcheck") ? decodeHealthcheck(fields.object("Healthcheck")) : undefined;
  return {
    ...optional("user", fields.string("User")),
    ...optional("exposedPorts", keysOf(fields, "ExposedPorts")),
    ...optional("env", fields.strings("Env")),
    ...optional("entrypoint", fields.strings("Entrypoint")),
    ...optional("cmd", fields.strings("Cmd")),
    ...optional("volumes", keysOf(fields, "Volumes")),
    ...optional("workingDir", fields.string("WorkingDir")),
    ...optional("labels", labels),
    ...optional("stopSignal", fields.string("StopSignal")),
    ...optional("argsEscaped", fields.boolean("ArgsEscaped")),
    ...optional("healthcheck", health),
    ...optional("shell", fields.strings("Shell")),
    ...optional("onBuild", fields.strings("OnBuild")),
  };
}

/** The `config` object as images and the Engine API spell it; absent fields are left out. */
export function encodeExecutionConfig(config: ImageExecutionConfig): Record<string, unknown> {
  return {
    ...(config.user && { User: config.user }),
    ...(config.exposedPorts?.length && { ExposedPorts: emptyObjects(config.exposedPorts) }),
    ...optional("Env", config.env),
    ...optional("Entrypoint", config.entrypoint),
    ...optional("Cmd", config.cmd),
    ...(config.volumes?.length && { Volumes: emptyObjects(config.volumes) }),
    ...(config.workingDir && { WorkingDir: config.workingDir }),
    ...(config.labels?.size && { Labels: Object.fromEntries(config.labels) }),
    ...(config.stopSignal && { StopSignal: config.stopSignal }),
    ...(config.argsEscaped && { ArgsEscaped: true }),
    ...(config.healthcheck && { Healthcheck: encodeHealthcheck(config.healthcheck) }),
    ...optional("Shell", config.shell),
    ...(config.onBuild?.length && { OnBuild: config.onBuild }),
  };
}

export function decodeHealthcheck(fields: Fields): HealthcheckConfig {
  return {
    ...optional("test", fields.strings("Test")),
    ...optional("intervalNs", fields.integer("Interval")),
    ...optional("timeoutNs", fields.integer("Timeout")),
    ...optional("startPeriodNs", fields.integer("StartPeriod")),
    ...optional("startIntervalNs", fields.integer("StartInterval")),
    ...optional("retries", fields.integer("Retries")),
  };
}

export function encodeHealthcheck(health: HealthcheckConfig): Record<string, unknown> {
  return {
    ...optional("Test", health.test),
    ...optional("Interval", health.intervalNs),
    ...optional("Timeout", health.timeoutNs),
    ...optional("StartPeriod", health.startPeriodNs),
    ...optional("StartInterval", health.startIntervalNs),
    ...optional("Retries", health.retries),
  };
}

function decodeHistory(value: unknown, path: string): HistoryEntry {
  const fields = new Fields(value, path);
  return {
    ...optional("created", fields.string("created")),
    ...optional("createdBy", fields.string("created_by")),
    ...optional("author", fields.string("author")),
    ...optional("comment", fields.string("comment")),
    ...(fields.boolean("empty_layer") && { emptyLayer: true }),
  };
}

function keysOf(fields: Fields, key: string): string[] | undefined {
  const map = fields.map(key, () => undefined);
  return map ? [...map.keys()].toSorted() : undefined;
}

function emptyObjects(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, V>>);
}
