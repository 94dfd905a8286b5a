import { isAbsolute, join } from "node:path";
import { parseArgs } from "node:util";
import { EngineError } from "#base/errors.ts";
import type { LogLevel } from "#base/log.ts";

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
}

export const DEFAULT_ROOT = "/var/lib/darse";
export const DEFAULT_RUN = "/run/darse";
const DOCKER_SOCKET = "/run/docker.sock";
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export const DAEMON_USAGE = `Usage:  darse daemon [OPTIONS]

Run the engine in the foreground

Options:
      --bridge string      Interface of the default bridge network (default "darse0")
  -D, --debug              Log at level debug
      --docker-socket      Listen on ${DOCKER_SOCKET} too, so that Docker's clients find it
  -H, --host list          Socket to listen on (default "unix://${DEFAULT_RUN}/darse.sock")
      --log-level string   debug, info, warn or error (default "info")
      --root string        Folder of images, containers and volumes (default "${DEFAULT_ROOT}")
      --run string         Folder of sockets and running state (default "${DEFAULT_RUN}")
`;

/** @throws {EngineError} invalid, naming the flag */
export function parseConfiguration(args: readonly string[]): Configuration | "help" {
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
  };
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        bridge: { type: "string" },
        debug: { type: "boolean", short: "D" },
        "docker-socket": { type: "boolean" },
        help: { type: "boolean", short: "h" },
        host: { type: "string", short: "H", multiple: true },
        "log-level": { type: "string" },
        root: { type: "string" },
        run: { type: "string" },
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
