import { readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { parseArgs } from "node:util";
import { EngineError, isErrno } from "#base/errors.ts";
import type { LogLevel } from "#base/log.ts";
import { HOST_FOLDERS, PLAIN_SETTINGS, type RegistrySettings } from "#registry/settings.ts";
import { type ConfigurationFile, decodeConfigurationFile } from "./configuration-file.ts";
import { registrySettings } from "./registry-settings.ts";

/** What `darse daemon` was asked to be. */
export interface Configuration {
  /** State that must survive. */
  readonly root: string;
  /** State that dies with the machine. */
  readonly run: string;
  /** Unix sockets to listen on, the first of them the engine's own. */
  readonly sockets: readonly string[];
  /** Interface of the default bridge network; the firewall table is named after it. */
  readonly bridge: string;
  readonly logLevel: LogLevel;
  readonly registries: RegistrySettings;
}

/** What a configuration is made from beside its flags. */
export interface ConfigurationSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file, `undefined` when there is none. @throws {EngineError} invalid when it cannot be read */
  readonly readFile: (path: string) => string | undefined;
}

export const DEFAULT_ROOT = "/var/lib/darse";
export const DEFAULT_RUN = "/run/darse";
/** Docker's own is `/etc/docker/daemon.json`. */
const CONFIG_FILE = "/etc/darse/daemon.json";
const MAX_CONFIG_BYTES = 1024 * 1024;
const DOCKER_SOCKET = "/run/docker.sock";
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export const DAEMON_USAGE = `Usage:  darse daemon [OPTIONS]

Run the engine in the foreground

Options:
      --bridge string            Interface of the default bridge network (default "darse0")
      --config-file string       JSON file of settings (default "${CONFIG_FILE}", when it is there)
  -D, --debug                    Log at level debug
      --docker-socket            Listen on ${DOCKER_SOCKET} too, so that Docker's clients find it
  -H, --host list                Socket to listen on (default "unix://${DEFAULT_RUN}/darse.sock")
      --http-proxy string        Proxy for registries asked by plain HTTP (default: HTTP_PROXY)
      --https-proxy string       Proxy for registries asked by HTTPS (default: HTTPS_PROXY)
      --insecure-registry list   Host or range of addresses whose registries need no valid certificate
      --log-level string         debug, info, warn or error (default "info")
      --no-proxy string          Hosts asked without a proxy (default: NO_PROXY)
      --registry-hosts list      Folder with a folder per registry host: hosts.toml or certificates
                                 (default "${HOST_FOLDERS.join('", "')}")
      --registry-mirror list     Mirror of Docker's own registry, asked first
      --root string              Folder of images, containers and volumes (default "${DEFAULT_ROOT}")
      --run string               Folder of sockets and running state (default "${DEFAULT_RUN}")
      --search-index string      Index that is searched (default "${PLAIN_SETTINGS.searchIndex.href}")
`;

const REAL_SOURCES: ConfigurationSources = { env: process.env, readFile: readBounded };

/** @throws {EngineError} invalid, naming the flag */
export function parseConfiguration(
  args: readonly string[],
  sources: ConfigurationSources = REAL_SOURCES,
): Configuration | "help" {
  const flags = parseFlags(args);
  if (flags.help) return "help";
  const run = absolute("--run", flags.run ?? DEFAULT_RUN);
  const sockets = (flags.host ?? [`unix://${join(run, "darse.sock")}`]).map(socketPath);
  const level = flags.debug ? "debug" : LOG_LEVELS.find((known) => known === (flags["log-level"] ?? "info"));
  if (level === undefined)
    throw new EngineError(
      "invalid",
      `Cannot use --log-level ${flags["log-level"]}: it is one of ${LOG_LEVELS.join(", ")}`,
    );
  return {
    root: absolute("--root", flags.root ?? DEFAULT_ROOT),
    run,
    sockets: flags["docker-socket"] ? [...sockets, DOCKER_SOCKET] : sockets,
    bridge: interfaceName(flags.bridge ?? "darse0"),
    logLevel: level,
    registries: registrySettings(flags, readConfigurationFile(flags["config-file"], sources), sources.env),
  };
}

/** @param path as given; without one the usual file is read, where there is one */
function readConfigurationFile(
  path: string | undefined,
  { readFile }: ConfigurationSources,
): ConfigurationFile {
  const text = readFile(path === undefined ? CONFIG_FILE : absolute("--config-file", path));
  if (text === undefined && path !== undefined)
    throw new EngineError("invalid", `Cannot use --config-file ${path}: there is no such file`);
  return decodeConfigurationFile(text ?? "", path ?? CONFIG_FILE);
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        bridge: { type: "string" },
        "config-file": { type: "string" },
        debug: { type: "boolean", short: "D" },
        "docker-socket": { type: "boolean" },
        help: { type: "boolean", short: "h" },
        host: { type: "string", short: "H", multiple: true },
        "http-proxy": { type: "string" },
        "https-proxy": { type: "string" },
        "insecure-registry": { type: "string", multiple: true },
        "log-level": { type: "string" },
        "no-proxy": { type: "string" },
        "registry-hosts": { type: "string", multiple: true },
        "registry-mirror": { type: "string", multiple: true },
        root: { type: "string" },
        run: { type: "string" },
        "search-index": { type: "string" },
      },
    }).values;
  } catch (error) {
    throw new EngineError("invalid", error instanceof Error ? error.message : String(error), {
      cause: error,
      hint: "darse daemon --help",
    });
  }
}

function absolute(flag: string, path: string): string {
  if (!isAbsolute(path))
    throw new EngineError("invalid", `Cannot use ${flag} ${path}: it must be an absolute path`);
  return path.length > 1 ? path.replace(/\/+$/, "") : path;
}

/** Open TCP is root for everybody who can connect (case 33), so that there is none. */
function socketPath(host: string): string {
  if (host.startsWith("unix://")) return absolute("--host", host.slice("unix://".length));
  throw new EngineError(
    "invalid",
    `Cannot listen on ${host}: the engine listens on unix sockets only, since whoever can connect is root`,
    {
      hint: "for access from elsewhere forward the socket: ssh -L /tmp/darse.sock:/run/darse/darse.sock HOST",
    },
  );
}

/** Kernel: at most 15 characters, no slash, no blank. */
function interfaceName(name: string): string {
  if (!/^[A-Za-z0-9_.-]{1,15}$/.test(name))
    throw new EngineError("invalid", `Cannot use --bridge ${name}: not an interface name`);
  return name;
}

function readBounded(path: string): string | undefined {
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_BYTES)
      throw new EngineError(
        "invalid",
        `Cannot use ${path}: it has ${size} bytes, at most ${MAX_CONFIG_BYTES} are read`,
      );
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}
