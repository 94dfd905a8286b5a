import { EngineError, isErrno } from "#base/errors.ts";
import { Fields, parseJson } from "#base/decode.ts";

/** What a helper keeps for one address. The protocol's name for it is "credentials". */
export interface HelperSecret {
  /** `<token>`: the secret is an identity token. */
  readonly username: string;
  readonly secret: string;
}

/** The user name by which helpers are told that the secret is an identity token. */
export const TOKEN_USERNAME = "<token>";

/** Each request and answer is a line or a small object. */
const MAX_OUTPUT_BYTES = 1024 * 1024;

/**
 * A program `docker-credential-NAME` that keeps credentials (docker/docker-credential-helpers):
 *
 *     get     stdin: address                          stdout: {"ServerURL", "Username", "Secret"}
 *     store   stdin: {"ServerURL", "Username", "Secret"}
 *     erase   stdin: address
 *     list                                            stdout: {address: user name, …}
 *
 * A failure is an exit code other than 0, with its reason on stdout.
 */
export class CredentialHelper {
  readonly #program: string;

  constructor(name: string) {
    this.#program = `docker-credential-${name}`;
  }

  /** `undefined` when it keeps nothing for `address`. */
  async find(address: string): Promise<HelperSecret | undefined> {
    const { code, output } = await this.#call("get", address);
    if (code !== 0) {
      if (output.trim() === "credentials not found in native keychain") return undefined;
      throw this.#failed("getting", { code, output });
    }
    const fields = new Fields(this.#decode(output), this.#program);
    return { username: fields.string("Username") ?? "", secret: fields.string("Secret") ?? "" };
  }

  async store(address: string, { username, secret }: HelperSecret): Promise<void> {
    const input = JSON.stringify({ ServerURL: address, Username: username, Secret: secret });
    const { code, output } = await this.#call("store", input);
    if (code !== 0) throw this.#failed("storing", { code, output });
  }

  async erase(address: string): Promise<void> {
    const { code, output } = await this.#call("erase", address);
    if (code !== 0) throw this.#failed("erasing", { code, output });
  }

  /** The addresses that it keeps something for. */
  async list(): Promise<string[]> {
    const { code, output } = await this.#call("list", "unused");
    if (code !== 0) throw this.#failed("listing", { code, output });
    const users = new Fields({ list: this.#decode(output) }).map("list", () => undefined);
    return [...(users?.keys() ?? [])];
  }

  #decode(output: string): unknown {
    return parseJson(output, `the answer of ${this.#program}`);
  }

  #failed(verb: string, { code, output }: Outcome): EngineError {
    return new EngineError(
      "unavailable",
      `error ${verb} credentials - err: exit status ${code}, out: \`${output.trim()}\``,
    );
  }

  async #call(verb: string, input: string): Promise<Outcome> {
    const { spawn } = await import("node:child_process");
    const child = spawn(this.#program, [verb], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
    });
    // A helper may answer without reading all of its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(`${input}\n`);
    try {
      const [output, code] = await Promise.all([this.#read(child.stdout), ended]);
      return { code, output };
    } catch (error) {
      child.kill();
      if (!isErrno(error, "ENOENT", "EACCES")) throw error;
      throw new EngineError(
        "unavailable",
        `error calling credential helper: exec: "${this.#program}": executable file not found in $PATH`,
        { cause: error },
      );
    }
  }

  async #read(stream: AsyncIterable<Uint8Array>): Promise<string> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of stream) {
      size += part.byteLength;
      if (size > MAX_OUTPUT_BYTES) {
        throw new EngineError("corrupt", `Cannot read the answer of ${this.#program}: it is too large`);
      }
      parts.push(part);
    }
    return Buffer.concat(parts).toString();
  }
}

interface Outcome {
  readonly code: number;
  readonly output: string;
}
