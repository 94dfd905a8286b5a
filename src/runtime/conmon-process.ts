import { isErrno } from "#base/errors.ts";
import { closeFd, openPipe, writeFd } from "#linux/file-descriptor.ts";
import { readPipe } from "#linux/packet-socket.ts";
import { type Child, spawn } from "#linux/process.ts";
import { parseSyncMessage, type SyncMessage } from "./conmon-command.ts";

/** More than conmon ever sends in one line: 8 KiB of the runtime's stderr, each byte escaped. */
const MAX_LINE_BYTES = 64 * 1024;

export interface ConmonOptions {
  readonly command: readonly string[];
  /** Its working directory: where it leaves the file `oom`. */
  readonly cwd: string;
  /** For the socket over which it gets a terminal. */
  readonly temporary: string;
  /** It waits to be attached to before it calls the runtime: for an exec. */
  readonly waitsForAttach: boolean;
}

/**
 * A conmon that has just been started, and the pipes of its set-up:
 *
 *     engine                          conmon                      runtime
 *       │ start pipe ── one byte ─────▶│                             │       the specification is there: begin
 *       │◀───────── {"data":0} ─ attach pipe                         │       execs only: the attach socket listens
 *       │ start pipe ── one byte ─────▶│── fork, exec ──────────────▶│       execs only: we are attached
 *       │◀───── {"data":<pid>} ─ sync pipe ◀───────── pid file ──────│
 *       │       or {"data":-1,"message":"…"}                         ╵
 *       │◀───── {"data":<exit code>} ─ sync pipe                             execs only
 */
export class ConmonProcess {
  readonly child: Child;
  readonly sync: SyncPipe;
  /** For execs only. */
  readonly attach: SyncPipe | undefined;
  #startFd: number | undefined;

  private constructor(child: Child, ours: { startFd: number; syncFd: number; attachFd: number | undefined }) {
    this.child = child;
    this.#startFd = ours.startFd;
    this.sync = new SyncPipe(ours.syncFd);
    this.attach = ours.attachFd === undefined ? undefined : new SyncPipe(ours.attachFd);
  }

  /** @throws {EngineError} unavailable when conmon is not installed. */
  static start(options: ConmonOptions): ConmonProcess {
    const sync = openPipe();
    const start = openPipe();
    const attach = options.waitsForAttach ? openPipe() : undefined;
    const theirs = [sync.writeEnd, start.readEnd, ...(attach ? [attach.writeEnd] : [])];
    const ours = { syncFd: sync.readEnd, startFd: start.writeEnd, attachFd: attach?.readEnd };
    try {
      const { command, cwd } = options;
      const child = spawn(command, { cwd, env: environment(options), fds: theirs, stderr: "pipe" });
      return new ConmonProcess(child, ours);
    } catch (error) {
      for (const fd of Object.values(ours)) if (fd !== undefined) closeFd(fd);
      throw error;
    } finally {
      for (const fd of theirs) closeFd(fd);
    }
  }

  /** Lets a waiting conmon go on. One that has ended does not mind. */
  proceed(): void {
    if (this.#startFd === undefined) return;
    try {
      writeFd(this.#startFd, new Uint8Array(1));
    } catch (error) {
      if (!isErrno(error, "EPIPE")) throw error;
    }
  }

  /** What conmon itself complained of before it let go of its stderr. */
  async complaint(): Promise<string> {
    return this.child.stderr ? (await new Response(this.child.stderr).text()).trim() : "";
  }

  /** Closes the set-up pipes but the sync pipe, which closes with conmon; conmon goes on. */
  async release(): Promise<void> {
    if (this.#startFd !== undefined) closeFd(this.#startFd);
    this.#startFd = undefined;
    await this.attach?.close();
  }
}

/** Lines from conmon, one at a time. */
export class SyncPipe {
  readonly #chunks: AsyncGenerator<Uint8Array, void>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(fd: number) {
    this.#chunks = readPipe(fd);
  }

  /** `undefined` when conmon closed its end. @throws {EngineError} invalid when it sent anything but its JSON. */
  async next(): Promise<SyncMessage | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return parseSyncMessage(line);
      }
      const { done, value } = await this.#chunks.next();
      if (done || this.#text.length > MAX_LINE_BYTES) return undefined;
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return();
  }
}

/** conmon and the runtime get nothing of our environment. */
function environment({ temporary, waitsForAttach }: ConmonOptions): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    TMPDIR: temporary,
    _OCI_SYNCPIPE: "3",
    _OCI_STARTPIPE: "4",
    ...(waitsForAttach && { _OCI_ATTACHPIPE: "5" }),
  };
}
