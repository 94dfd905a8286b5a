import { createHmac, randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { type Clock, systemClock } from "#base/clock.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { Semaphore } from "#base/semaphore.ts";
import { Fault } from "../fault.ts";
import type { Guard, Permission } from "./guard.ts";

/** True when `password` is the one that `hash` was made of. */
export type VerifyPassword = (password: string, hash: string) => Promise<boolean>;

export interface HtpasswdOptions {
  readonly path: string;
  /** What clients are told to ask the password for. */
  readonly realm: string;
  readonly verify: VerifyPassword;
  readonly now?: Clock;
}

const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/;
/** Checked in place of a user that is not there, so that the time does not tell: a hash of cost 10 of nobody's word. */
const NOBODY = "$2b$10$gus9ZgTx1utiztOPpzuZC.I.zdeNrzO85lgF2RuzEuzT42iBc/Agq";
const MAX_FILE_BYTES = 4 * 1024 * 1024;
/** A password that was right is taken for so long without the work of checking it; clients send it with each request. */
const REMEMBERED_MS = 5 * 60 * 1000;
const MAX_REMEMBERED = 1000;
/** bcrypt is slow by design: so many are checked at once, and so many wait. */
const CHECKED_AT_ONCE = 2;
const MAX_WAITING = 100;
const MAX_PASSWORD_BYTES = 1024;

/**
 * The users of an Apache `htpasswd` file, bcrypt only; each may do everything. The file is read again when it changes.
 */
export class HtpasswdGuard implements Guard {
  readonly #options: HtpasswdOptions;
  readonly #now: Clock;
  readonly #checks = new Semaphore(CHECKED_AT_ONCE);
  readonly #key = randomBytes(32);
  /** When a user's proof ends, by a keyed hash of name, password and stored hash. */
  readonly #remembered = new Map<string, number>();
  #users: ReadonlyMap<string, string> = new Map();
  #version = "";
  #waiting = 0;

  private constructor(options: HtpasswdOptions) {
    this.#options = options;
    this.#now = options.now ?? systemClock;
  }

  /** @throws {EngineError} invalid when the file cannot be read or has an entry that is not bcrypt */
  static async open(options: HtpasswdOptions): Promise<HtpasswdGuard> {
    const guard = new HtpasswdGuard(options);
    await guard.#load();
    return guard;
  }

  async check(authorization: string | undefined): Promise<Permission> {
    const given = credentialsOf(authorization);
    if (given === undefined) throw this.#refusal("authentication required");
    await this.#load();
    const hash = this.#users.get(given.user);
    if (!(await this.#isRight(given, hash))) throw this.#refusal("wrong user or password");
    return { user: given.user, readable: "all" };
  }

  async #isRight({ user, password }: Credentials, hash: string | undefined): Promise<boolean> {
    const proof = createHmac("sha256", this.#key)
      .update(JSON.stringify([user, password, hash]))
      .digest("hex");
    const until = this.#remembered.get(proof);
    if (until !== undefined && until > this.#now()) return true;
    if (this.#waiting >= MAX_WAITING) {
      throw new Fault("TOOMANYREQUESTS", "too many are logging in", { headers: { "Retry-After": "5" } });
    }
    this.#waiting++;
    try {
      const isSame = await this.#checks.run(() => this.#options.verify(password, hash ?? NOBODY));
      if (!isSame || hash === undefined) return false;
    } finally {
      this.#waiting--;
    }
    this.#remember(proof);
    return true;
  }

  #remember(proof: string): void {
    this.#remembered.set(proof, this.#now() + REMEMBERED_MS);
    const [oldest] = this.#remembered.keys();
    if (this.#remembered.size > MAX_REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest);
  }

  async #load(): Promise<void> {
    const { path } = this.#options;
    try {
      const { mtimeMs, size, ino } = await stat(path);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version === this.#version) return;
      if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes are more than ${MAX_FILE_BYTES}`);
      this.#users = parseHtpasswd(await readFile(path, "utf8"));
      this.#version = version;
    } catch (error) {
      throw new EngineError("invalid", `Cannot use the password file ${path}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
  }

  #refusal(message: string): Fault {
    return new Fault("UNAUTHORIZED", message, {
      headers: { "WWW-Authenticate": `Basic realm="${this.#options.realm}", charset="UTF-8"` },
    });
  }
}

/**
 * Lines of `name:hash`; blank ones and `#` comments are passed over.
 *
 * @throws {EngineError} invalid, naming the line
 */
export function parseHtpasswd(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const colon = line.indexOf(":");
    const hash = line.slice(colon + 1);
    if (colon < 1) throw new EngineError("invalid", `line ${index + 1} is not "name:hash"`);
    if (!BCRYPT.test(hash)) {
      throw new EngineError("invalid", `line ${index + 1}: only bcrypt is taken (htpasswd -B)`);
    }
    users.set(line.slice(0, colon), hash);
  }
  return users;
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** RFC 7617. */
function credentialsOf(authorization: string | undefined): Credentials | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0 || text.length > MAX_PASSWORD_BYTES) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
