import { isAbsolute } from "node:path";
import { parseArgs } from "node:util";
import { parseDuration } from "#base/duration.ts";
import { EngineError } from "#base/errors.ts";
import type { LogLevel } from "#base/log.ts";
import type { Address } from "./server.ts";

export const REGISTRY_USAGE = `Usage:  darse registry COMMAND

A registry of your own: serves images to every client that speaks to registries

Commands:
  gc          Remove what no manifest names
  serve       Run a registry in the foreground

Run 'darse registry COMMAND --help' for more information on a command.
`;

export const DEFAULT_ROOT = "/var/lib/darse-registry";

/** The values of a command's flags, as typed. */
export type Flags = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export interface FlagTable {
  readonly [name: string]: { readonly type: "string" | "boolean"; readonly short?: string };
}

/** @throws {EngineError} invalid, naming the flag */
export function parseFlags(args: readonly string[], options: FlagTable, command: string): Flags {
  try {
    return parseArgs({ args: [...args], options: { ...options, help: { type: "boolean", short: "h" } } })
      .values;
  } catch (error) {
    throw new EngineError("invalid", error instanceof Error ? error.message : String(error), {
      cause: error,
      hint: `darse registry ${command} --help`,
    });
  }
}

export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

export function rootOf(flags: Flags): string {
  const root = text(flags, "root") ?? DEFAULT_ROOT;
  if (!isAbsolute(root)) throw wrong("root", root, "it must be an absolute path");
  return root;
}

/** `5g`, `512m`, `4096`; units of 1024, as `darse run --memory` takes them. */
export function bytes(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(value) ?? [];
  const size = Number(number) * 1024 ** " kmgt".indexOf(unit === "" ? " " : unit.toLowerCase());
  if (number === undefined || !Number.isSafeInteger(Math.floor(size)))
    throw wrong(name, value, "it must be a size such as 10g");
  return Math.floor(size);
}

/** `90s`, `1h30m`, in milliseconds. */
export function milliseconds(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  const duration = parseDuration(value) / 1e6;
  if (duration < 0) throw wrong(name, value, "it must not be negative");
  return duration;
}

/** A whole number from 1. */
export function count(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) throw wrong(name, value, "it must be a number from 1");
  return Number(value);
}

/** `HOST:PORT`, `[ADDRESS]:PORT` or `:PORT`, which is every address of this machine. */
export function address(flags: Flags, name: string): Address | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  const [, bracketed, plain = "", port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) ?? [];
  if (port === undefined || Number(port) > 65535) throw wrong(name, value, "it must be HOST:PORT");
  return { host: bracketed ?? (plain === "" ? "::" : plain), port: Number(port) };
}

export function logLevel(flags: Flags): LogLevel {
  const value = text(flags, "log-level") ?? "info";
  const known: readonly LogLevel[] = ["debug", "info", "warn", "error"];
  const level = known.find((one) => one === value);
  if (level === undefined) throw wrong("log-level", value, `it is one of ${known.join(", ")}`);
  return level;
}

/** All of `names` or none. @throws {EngineError} invalid */
export function together(flags: Flags, ...names: string[]): boolean {
  const given = names.filter((name) => flags[name] !== undefined);
  if (given.length === 0) return false;
  const missing = names.filter((name) => flags[name] === undefined);
  if (missing.length === 0) return true;
  throw new EngineError("invalid", `Cannot use --${given[0]} without --${missing.join(" and --")}`);
}

export function wrong(name: string, value: string, why: string): EngineError {
  return new EngineError("invalid", `Cannot use --${name} ${value}: ${why}`);
}
