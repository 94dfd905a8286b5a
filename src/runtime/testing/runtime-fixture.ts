import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { silentLogger } from "#base/log.ts";
import { openKernel } from "#linux/real-kernel.ts";
import type { RuntimeSpec } from "#oci/runtime-spec.ts";
import { readHostFacts } from "../read-host-facts.ts";
import { Runtime } from "../runtime.ts";
import { assembleEnv } from "../spec/env.ts";
import { generateSpec } from "../spec/generate-spec.ts";
import type { SpecInput } from "../spec/spec-input.ts";

const APPLETS =
  "sh true false cat echo sleep ls id mount ps kill head yes env pwd seq readlink stty wc grep tr rm dd od hostname find mkdir";

/** A runtime over a temporary run directory, and a busybox root that all its containers share. */
export class RuntimeFixture implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "darse-runtime-"));
  readonly run = join(this.directory, "run");
  readonly rootfs = join(this.directory, "rootfs");
  readonly kernel = openKernel();
  readonly host = readHostFacts(this.kernel);
  readonly #ids: string[] = [];
  runtime: Runtime;

  constructor() {
    makeBusyboxRoot(this.rootfs);
    this.runtime = this.openRuntime();
  }

  /** A further runtime over the same directory, as after a restart of the engine. */
  openRuntime(): Runtime {
    this.runtime = Runtime.open({ runDirectory: this.run, kernel: this.kernel, log: silentLogger });
    return this.runtime;
  }

  /** An id whose container is deleted with the fixture. */
  newId(): string {
    const id = newId();
    this.#ids.push(id);
    return id;
  }

  spec(args: readonly string[], changes: Partial<SpecInput> = {}): RuntimeSpec {
    return generateSpec(this.input(args, changes), this.host).spec;
  }

  input(args: readonly string[], changes: Partial<SpecInput> = {}): SpecInput {
    return {
      args,
      env: assembleEnv({ hostname: "box", tty: changes.tty ?? false, home: "/root", env: [] }),
      cwd: "/",
      user: { uid: 0, gid: 0, groups: [0] },
      tty: false,
      rootfs: this.rootfs,
      hostname: "box",
      cgroupPath: `/darse-test/${newId()}`,
      ...changes,
    };
  }

  /** Creates a container of `args` and returns its id. */
  async create(
    args: readonly string[],
    changes: Partial<SpecInput> & { stdin?: "open" | "once"; logPath?: string } = {},
  ): Promise<string> {
    const { stdin, logPath, ...input } = changes;
    const id = this.newId();
    await this.runtime.create(
      {
        id,
        spec: this.spec(args, input),
        log: logPath === undefined ? {} : { path: logPath },
        tty: input.tty ?? false,
        openStdin: stdin !== undefined,
        stdinOnce: stdin === "once",
      },
      AbortSignal.timeout(20_000),
    );
    return id;
  }

  /** Runs `args` to its end: all output, and the exit code. */
  async output(
    args: readonly string[],
    changes: Partial<SpecInput> = {},
  ): Promise<{ stdout: string; stderr: string; exitCode: number }> {
    const id = await this.create(args, changes);
    await using attachment = await this.runtime.attach(id);
    await this.runtime.start(id);
    const text = { stdout: "", stderr: "" };
    for await (const { stream, data } of attachment.output) text[stream] += Buffer.from(data).toString();
    const { exitCode } = await this.runtime.exited(id);
    await this.runtime.delete(id);
    return { ...text, exitCode };
  }

  /** Of a process of this host, its words with blanks between them. */
  commandLine(pid: number): string {
    const path = `/proc/${pid}/cmdline`;
    return existsSync(path) ? readFileSync(path, "utf8").split("\0").join(" ").trimEnd() : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#ids) await this.runtime.delete(id);
    this.runtime.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A root file system of busybox and its applets alone. */
export function makeBusyboxRoot(root: string): void {
  for (const folder of ["bin", "dev", "proc", "sys", "etc", "tmp", "root", "run"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(root, 0o755);
  copyFileSync("/bin/busybox", join(root, "bin/busybox"));
  for (const applet of APPLETS.split(" ")) symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(
    join(root, "etc/passwd"),
    "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
  );
  writeFileSync(join(root, "etc/group"), "root:x:0:\napp:x:1000:\n");
}
