import { type ChildProcess, execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROJECT = join(import.meta.dir, "..");

/** The executable under test: what people install. */
export const DARSE = join(PROJECT, "dist/darse");

/** The unmodified docker command line. `scripts/test.sh` says where it is. */
export const DOCKER = process.env["DARSE_TEST_DOCKER"] ?? "docker";

/** Root file systems made by `scripts/base-images.sh`. */
export const FIXTURES = process.env["DARSE_CACHE"] ?? "/var/cache/darse";

export interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON. */
  readonly body: unknown;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** Runs a program to its end; a non-zero exit is a result. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Output> {
  const { promise, resolve } = Promise.withResolvers<Output>();
  const env = { ...process.env, ...options.env };
  const child = execFile(
    command,
    args,
    {
      env,
      cwd: options.cwd ?? PROJECT,
      maxBuffer: 256 * 1024 * 1024,
      timeout: 120_000,
      killSignal: "SIGKILL",
    },
    (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, stdout, stderr });
    },
  );
  child.stdin?.end(options.input ?? "");
  return promise;
}

let serial = 0;

/** An engine of its own: folders, socket, bridge and firewall table that nobody else has. */
export class TestEngine implements AsyncDisposable {
  readonly folder: string;
  readonly root: string;
  readonly runFolder: string;
  readonly socket: string;
  readonly bridge: string;
  /** Of the daemon, beside those that give it its place; set by `prepare`. */
  readonly flags: string[] = [];
  #daemon: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
    this.root = join(folder, "root");
    this.runFolder = join(folder, "run");
    this.socket = join(this.runFolder, "darse.sock");
    this.bridge = `dt${process.pid % 100_000}x${serial++}`;
  }

  /** Starts an engine and gives it the image `busybox:latest`. @param prepare called before the engine starts */
  static async start(
    prepare: (engine: TestEngine) => Promise<void> = async () => undefined,
  ): Promise<TestEngine> {
    const engine = new TestEngine(await mkdtemp(join(tmpdir(), "darse-test-")));
    await prepare(engine);
    await engine.startDaemon();
    const { code, stderr } = await engine.darse([
      "import",
      "-c",
      'CMD ["sh"]',
      join(FIXTURES, "busybox.tar"),
      "busybox:latest",
    ]);
    if (code !== 0) throw new Error(`cannot import busybox: ${stderr}`);
    return engine;
  }

  get pid(): number {
    const pid = this.#daemon?.pid;
    if (pid === undefined) throw new Error("the engine does not run");
    return pid;
  }

  /** Starts the daemon and waits until it answers. @param prefix a program that runs it, in a world of its making */
  async startDaemon(prefix: readonly string[] = []): Promise<void> {
    const log = await open(join(this.folder, "engine.log"), "a");
    const command = [
      ...prefix,
      DARSE,
      "daemon",
      "--root",
      this.root,
      "--run",
      this.runFolder,
      "--bridge",
      this.bridge,
      "--debug",
      ...this.flags,
    ];
    const daemon = spawn(command[0] ?? DARSE, command.slice(1), {
      stdio: ["ignore", log.fd, log.fd],
      detached: true,
    });
    await log.close();
    this.#daemon = daemon;
    for (let left = 2000; left > 0; left--) {
      if (daemon.exitCode !== null) throw new Error(`the engine ended: ${await this.log()}`);
      if (existsSync(this.socket) && (await this.api("GET", "/_ping").catch(() => undefined))?.status === 200)
        return;
      await Bun.sleep(5);
    }
    throw new Error(`the engine does not answer: ${await this.log()}`);
  }

  /** Ends the daemon and waits for its end. Containers go on. */
  async stopDaemon(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const ended = new Promise((resolve) => daemon.once("exit", resolve));
    daemon.kill(signal);
    await ended;
    this.#daemon = undefined;
  }

  log(): Promise<string> {
    return readFile(join(this.folder, "engine.log"), "utf8");
  }

  /** The unmodified docker command line on this engine's socket. */
  docker(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    const env = {
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_BUILDKIT: "0",
      DOCKER_CONFIG: this.folder,
      ...options.env,
    };
    return run(DOCKER, args, { ...options, env });
  }

  /** Our own command line on this engine's socket. */
  darse(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    const env = { DOCKER_HOST: `unix://${this.socket}`, DOCKER_CONFIG: this.folder, ...options.env };
    return run(DARSE, args, { ...options, env });
  }

  /** One API request. @param path without version unless it is given */
  api(method: string, path: string, body?: unknown): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const sent = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      host: "test",
      ...(sent && { "content-type": "application/json", "content-length": Buffer.byteLength(sent) }),
    };
    const outgoing = request({ socketPath: this.socket, method, path, headers, agent: false }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (part: string) => (text += part));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const isJson = incoming.headers["content-type"]?.startsWith("application/json") && text !== "";
        const decoded: unknown = isJson && !text.trim().includes("\n") ? JSON.parse(text) : undefined;
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text, body: decoded });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(sent);
    return promise;
  }

  /** Removes every container, image and cached build step. */
  async removeAll(): Promise<void> {
    const containers = (await this.darse(["ps", "-aq"])).stdout.split("\n").filter(Boolean);
    if (containers.length > 0) await this.darse(["rm", "-f", "-v", ...containers]);
    const images = (await this.darse(["images", "-aq"])).stdout.split("\n").filter(Boolean);
    if (images.length > 0) await this.darse(["rmi", "-f", ...new Set(images)]);
    await this.api("POST", "/build/prune?all=1");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#daemon === undefined) await this.startDaemon();
    await this.removeAll();
    await this.stopDaemon("SIGTERM");
    await this.forget();
  }

  /** Deletes the folders of an engine that has stopped. */
  async forget(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
