import { existsSync } from "node:fs";
import { basename } from "node:path";
import { EngineError, isErrno } from "#base/errors.ts";

/** Programs we run and the Debian package that holds each. */
const PACKAGE: Readonly<Record<string, string>> = {
  bzip2: "bzip2",
  conmon: "conmon",
  crun: "crun",
  git: "git",
  mmdebstrap: "mmdebstrap",
  modprobe: "kmod",
  nft: "nftables",
  ps: "procps",
  runc: "runc",
  xz: "xz-utils",
};

/** Where system programs lie, whatever PATH a user started us with. */
const SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const SIGKILL = 9;
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** The whole environment of the program; ours when absent. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ends the program with SIGKILL. */
  readonly signal?: AbortSignal;
  /** Each of stdout and stderr is refused above this. 16 MiB when absent. */
  readonly maxOutputBytes?: number;
}

export interface RunResult {
  /** 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

/**
 * Runs a program to its end. A non-zero exit is a result, not an error. @throws {EngineError} unavailable when it is not
 * installed, cancelled when `signal` fired, internal when it wrote more than `maxOutputBytes`.
 */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { input, env, cwd, signal, maxOutputBytes = MAX_OUTPUT_BYTES } = options;
  const [program = ""] = command;
  if (signal?.aborted) throw cancelled(program, signal);
  const child = spawn(command, {
    stdin: typeof input === "string" ? Buffer.from(input) : (input ?? "ignore"),
    stdout: "pipe",
    stderr: "pipe",
    ...(env === undefined ? {} : { env }),
    ...(cwd === undefined ? {} : { cwd }),
  });
  const tooMuch = new AbortController();
  const stop = signal === undefined ? tooMuch.signal : AbortSignal.any([signal, tooMuch.signal]);
  stop.addEventListener("abort", () => child.kill(SIGKILL), { once: true });
  const read = async (stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> => {
    const bytes = await readBounded(stream, maxOutputBytes, stop);
    if (bytes === undefined) tooMuch.abort();
    return bytes ?? new Uint8Array(0);
  };
  const [stdout, stderr, exitCode] = await Promise.all([
    read(child.stdout),
    read(child.stderr),
    child.exited,
  ]);
  if (signal?.aborted) throw cancelled(program, signal);
  if (tooMuch.signal.aborted) {
    throw new EngineError("internal", `Cannot run ${program}: it wrote more than ${maxOutputBytes} bytes`);
  }
  return { exitCode, stdout, stderr: new TextDecoder().decode(stderr) };
}

/** What a child's file descriptor is: a pipe to us, nothing, or a descriptor of ours. */
export type ChildFd = "pipe" | "ignore" | "inherit" | number;

export interface SpawnOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: ChildFd | Uint8Array;
  readonly stdout?: ChildFd;
  readonly stderr?: ChildFd;
  /** Our descriptors that the child gets as 3, 4, …; all others are closed in it. */
  readonly fds?: readonly number[];
  /** The child leads a session of its own, and signals to our terminal do not reach it. */
  readonly detached?: boolean;
}

export interface Child {
  readonly pid: number;
  /** Present when asked for by "pipe". */
  readonly stdin: Bun.FileSink | undefined;
  readonly stdout: ReadableStream<Uint8Array> | undefined;
  readonly stderr: ReadableStream<Uint8Array> | undefined;
  /** Its exit code; 128 + n when signal n ended it. */
  readonly exited: Promise<number>;
  kill(signal: number): void;
}

/**
 * Starts a program, with stdin, stdout and stderr ignored unless given. @throws {EngineError} unavailable when it is not
 * installed.
 */
export function spawn(command: readonly string[], options: SpawnOptions = {}): Child {
  const [program = "", ...args] = command;
  const child = start([findProgram(program), ...args], program, options);
  return {
    pid: child.pid,
    stdin: typeof child.stdin === "object" ? child.stdin : undefined,
    stdout: typeof child.stdout === "object" ? child.stdout : undefined,
    stderr: typeof child.stderr === "object" ? child.stderr : undefined,
    exited: child.exited,
    kill: (signal) => child.kill(signal),
  };
}

function start(command: string[], program: string, options: SpawnOptions) {
  const { env, cwd, stdin = "ignore", stdout = "ignore", stderr = "ignore", fds = [], detached } = options;
  try {
    return Bun.spawn(command, {
      stdio: [stdin, stdout, stderr, ...fds],
      env: env ?? { ...process.env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(detached === undefined ? {} : { detached }),
    });
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
    // Bun says ENOENT both for the program and for the folder.
    if (cwd !== undefined && !existsSync(cwd)) {
      throw new EngineError("not-found", `Cannot run ${program} in ${cwd}: there is no such folder`, {
        cause: error,
      });
    }
    throw notInstalled(program, error);
  }
}

/** The path of a program in PATH or in the system's folders. */
export function findProgram(program: string): string {
  if (program.includes("/")) return program;
  const found = Bun.which(program, { PATH: `${process.env["PATH"] ?? ""}:${SYSTEM_FOLDERS}` });
  if (found === null) throw notInstalled(program);
  return found;
}

function notInstalled(program: string, cause?: unknown): EngineError {
  const name = basename(program);
  const holder = PACKAGE[name];
  return new EngineError("unavailable", `Cannot run ${name}: it is not installed`, {
    cause,
    ...(holder === undefined ? {} : { hint: `apt-get install --no-install-recommends -y ${holder}` }),
  });
}

/** All that `stream` gives; `undefined` when it is more than `maxBytes`. Stops early when `signal` fires. */
async function readBounded(
  stream: ReadableStream<Uint8Array> | undefined,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (stream === undefined) return new Uint8Array(0);
  const reader = stream.getReader();
  // A grandchild may hold the pipe open after the child was killed.
  const stop = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(chunks);
      size += value.length;
      if (size > maxBytes) return undefined;
      chunks.push(value);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

function cancelled(program: string, signal: AbortSignal): EngineError {
  return new EngineError("cancelled", `Cannot finish ${program}: it was cancelled`, { cause: signal.reason });
}
