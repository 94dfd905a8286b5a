import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "../engine.ts";

/*
 * A guest is a program that uses a client library of another world as its users do: on the library's own runtime, with
 * the library unmodified. It knows facts by name:
 *
 *   <guest> --list      prints their names, a JSON array
 *   <guest>             reads names, one a line, and answers each with a line: {"ok":true} or {"ok":false,"error":"…"}
 */

interface Verdict {
  readonly ok: boolean;
  readonly error?: string;
}

/** Declares a test for every fact of a guest, all on one engine. @param command words after which `--list` can stand */
export function testGuest(name: string, command: readonly string[], env: Record<string, string> = {}): void {
  const facts = factsOf(command);
  let engine: TestEngine;
  let guest: Guest;
  beforeAll(async () => {
    engine = await TestEngine.start();
    guest = new Guest(command, {
      ...env,
      DOCKER_HOST: `unix://${engine.socket}`,
      DARSE_SOCKET: engine.socket,
    });
  }, 60_000);
  afterAll(async () => {
    await guest[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
  }, 60_000);
  for (const fact of facts) {
    test(`${name}: ${fact}`, async () => expect(await guest.check(fact)).toEqual({ ok: true }), 30_000);
  }
}

/** The path of a guest beside this file. */
export function guestFile(name: string): string {
  return join(import.meta.dir, name);
}

function factsOf([program = "", ...args]: readonly string[]): string[] {
  const listed = spawnSync(program, [...args, "--list"], { encoding: "utf8" });
  if (listed.status !== 0) {
    throw new Error(
      `Cannot list the facts of ${program} ${args.join(" ")}: ${listed.stderr || listed.error}`,
    );
  }
  const facts: unknown = JSON.parse(listed.stdout);
  if (!Array.isArray(facts) || facts.length === 0) throw new Error(`${args.join(" ")} knows no facts`);
  return facts.map(String);
}

/** A fact takes no longer; the guest is ended then, and the next fact has a new one. */
const DEADLINE_MS = 25_000;

class Guest implements AsyncDisposable {
  readonly #command: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #running: RunningGuest | undefined;

  constructor(command: readonly string[], env: Readonly<Record<string, string>>) {
    this.#command = command;
    this.#env = env;
  }

  async check(fact: string): Promise<Verdict> {
    this.#running ??= startGuest(this.#command, this.#env);
    const guest = this.#running;
    guest.child.stdin?.write(`${fact}\n`);
    const timer = setTimeout(() => guest.child.kill("SIGKILL"), DEADLINE_MS);
    const answer = await guest.answers.next();
    clearTimeout(timer);
    // Our own guests write nothing else there.
    if (!answer.done) return JSON.parse(answer.value) as Verdict;
    this.#running = undefined;
    return {
      ok: false,
      error: `the guest has ended, by itself or at its deadline: ${guest.complaints.join("")}`,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#running?.child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
    await ended;
    clearTimeout(timer);
  }
}

interface RunningGuest {
  readonly child: ChildProcess;
  readonly answers: AsyncIterator<string>;
  /** What it wrote to standard error. */
  readonly complaints: string[];
}

function startGuest(
  [program = "", ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
): RunningGuest {
  const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
  const complaints: string[] = [];
  child.stderr.on("data", (part: Buffer) => complaints.push(part.toString()));
  return { child, answers: createInterface({ input: child.stdout })[Symbol.asyncIterator](), complaints };
}
