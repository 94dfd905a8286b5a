import { rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { Fields, parseJson } from "#base/decode.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import type { Collected } from "./storage/collector.ts";

/** What `darse registry gc` asks of a server. */
export interface CollectionWish {
  readonly withUntagged: boolean;
  readonly isDryRun: boolean;
}

const MAX_ANSWER_BYTES = 64 * 1024;
/** Linux: the path of a socket. */
const MAX_PATH_BYTES = 107;

/**
 * The server's door for the same user's commands: a socket in the registry's folder, which only that user enters.
 * `POST /gc?untagged=…&dry-run=…` collects, and answers with what was removed.
 */
export class Control implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** The caller holds the folder's lock: a socket that is there is a dead server's. */
  static async listen(path: string, collect: (wish: CollectionWish) => Promise<Collected>): Promise<Control> {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
      throw new EngineError(
        "invalid",
        `Cannot listen on ${path}: a socket's path has at most ${MAX_PATH_BYTES} bytes`,
        {
          hint: "give the registry a --root of a shorter path",
        },
      );
    }
    const server = createServer((asked, answer) => {
      const { pathname, searchParams } = new URL(asked.url ?? "/", "http://control.invalid");
      const reply = (status: number, value: unknown): void => {
        answer.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
      };
      if (asked.method !== "POST" || pathname !== "/gc") return reply(404, { message: "no such command" });
      const isSet = (name: string): boolean => searchParams.get(name) === "true";
      collect({ withUntagged: isSet("untagged"), isDryRun: isSet("dry-run") }).then(
        (collected) => reply(200, collected),
        (error: unknown) => reply(500, { message: errorMessage(error) }),
      );
    });
    await rm(path, { force: true });
    const mask = process.umask(0o177);
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(path, resolve);
      });
    } finally {
      process.umask(mask);
    }
    return new Control(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Has the server of a folder collect. @throws {EngineError} unavailable when it does not answer, internal with its failure */
export async function askForCollection(path: string, wish: CollectionWish): Promise<Collected> {
  const target = `/gc?untagged=${wish.withUntagged}&dry-run=${wish.isDryRun}`;
  const { status, text } = await post(path, target);
  const fields = new Fields(parseJson(text, "the registry's answer"), "answer");
  if (status !== 200)
    throw new EngineError("internal", fields.string("message") ?? `the registry answered ${status}`);
  const number = (key: string): number => fields.required(key, fields.integer(key));
  return {
    manifests: number("manifests"),
    links: number("links"),
    blobs: number("blobs"),
    bytes: number("bytes"),
    uploads: number("uploads"),
  };
}

function post(socketPath: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(
        new EngineError("unavailable", `Cannot reach the registry at ${socketPath}: ${errorMessage(error)}`, {
          cause: error,
        }),
      );
    const asked = request({ socketPath, path, method: "POST" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part: string) => {
        text += part;
        if (text.length > MAX_ANSWER_BYTES) asked.destroy(new Error("its answer is too long"));
      });
      answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
      answer.on("error", fail);
    });
    asked.on("error", fail);
    asked.end();
  });
}
