import { type Host, parseHost } from "#api/host.ts";
import { ApiVersion } from "#api/version.ts";
import { EngineError } from "#base/errors.ts";
import { type ParsedFlags, parseFlags } from "./flag-parser.ts";
import type { FlagSpecs } from "./flags.ts";

/** Flags that stand before the command. */
export const globalFlags = {
  config: {
    type: "string",
    defaultText: '"~/.docker"',
    help: "Location of client config files",
  },
  context: { type: "string", short: "c", hidden: true, help: "Name of the context to use" },
  debug: { type: "bool", short: "D", help: "Enable debug mode" },
  host: { type: "list", short: "H", help: "Daemon socket to connect to" },
  logLevel: { type: "string", short: "l", hidden: true, help: "Set the logging level" },
  root: {
    type: "string",
    defaultText: '"/var/lib/darse"',
    help: "Folder of images and containers of the engine that is started when none answers",
  },
  run: {
    type: "string",
    defaultText: '"/run/darse"',
    help: "Folder of the engine's socket and running state",
  },
  tls: { type: "bool", hidden: true, help: "Use TLS" },
  tlsverify: { type: "bool", hidden: true, help: "Use TLS and verify the remote" },
  version: { type: "bool", short: "v", help: "Print version information and quit" },
} as const satisfies FlagSpecs;

export type GlobalFlags = ParsedFlags<typeof globalFlags>;

/** Reads the flags before the command; `args` of the result begins with the command. */
export function parseGlobalFlags(argv: readonly string[]): GlobalFlags {
  return parseFlags(globalFlags, argv, { optionsFirst: true });
}

/** Which engine is meant, and whether it is ours to start. */
export interface Target {
  readonly host: Host;
  readonly apiVersion: ApiVersion | undefined;
  /** Set when no engine was named: the one that is started when none answers. */
  readonly start: { readonly root: string | undefined; readonly run: string } | undefined;
  /** The folder of client settings: `--config`, `DOCKER_CONFIG`, or `.docker` at home. */
  readonly configFolder: string;
}

/** @throws {EngineError} for a host, context or version that cannot be used, by its name */
export function resolveTarget(
  flags: GlobalFlags["flags"],
  env: Readonly<Record<string, string | undefined>>,
): Target {
  const context = flags.context ?? env["DOCKER_CONTEXT"];
  if (context !== undefined && context !== "default" && context !== "") {
    throw new EngineError("unsupported", `Cannot use context "${context}": there are no contexts`, {
      hint: "Name the engine by -H or DOCKER_HOST",
    });
  }
  if (flags.tls || flags.tlsverify) {
    throw new EngineError("unsupported", "Cannot connect by TLS: it is not supported", {
      hint: "Forward the engine's socket over ssh: ssh -L /tmp/engine.sock:/run/darse/darse.sock HOST",
    });
  }
  if (flags.host.length > 1) throw new EngineError("invalid", "specify only one -H");
  const apiVersion = pinnedVersion(env["DOCKER_API_VERSION"]);
  const named = flags.host[0] ?? (flags.run === undefined ? env["DOCKER_HOST"] : undefined);
  const configFolder = flags.config || env["DOCKER_CONFIG"] || `${env["HOME"] || ""}/.docker`;
  if (named !== undefined && named !== "")
    return { host: parseHost(named), apiVersion, start: undefined, configFolder };
  const run = flags.run ?? "/run/darse";
  const host: Host = { kind: "unix", path: `${run}/darse.sock` };
  return { host, apiVersion, start: { root: flags.root, run }, configFolder };
}

function pinnedVersion(text: string | undefined): ApiVersion | undefined {
  if (text === undefined || text === "") return undefined;
  const version = ApiVersion.parse(text.replace(/^v/, ""));
  if (!version)
    throw new EngineError("invalid", `Cannot use DOCKER_API_VERSION "${text}": it must be like 1.41`);
  return version;
}
