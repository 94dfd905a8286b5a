import { EngineError } from "#base/errors.ts";
import { answerLocally } from "./local-answer.ts";
import type { Names } from "./local-answer.ts";
import { CODE, encodeReply, readQuery, relayedReply, TYPE } from "./message.ts";
import type { Code, Query } from "./message.ts";
import type { Transport } from "./exchange.ts";

export interface ResponderOptions {
  readonly names: Names;
  /** Passes a message on and gives the answer; `undefined` when nobody gave one. */
  forward(message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined>;
  /** Names without a dot are nobody else's: the container's resolver is to try its search list. */
  keepsBareNames(): boolean;
  readonly random: () => number;
}

/** Questions of one container that wait for others at once; what comes beyond is refused. */
const MAX_WAITING = 256;
const LONGEST_MESSAGE = 0xffff;
const LONGEST_DATAGRAM = 4096;

/** Answers the questions of one container, one message after the other; knows nothing of sockets. */
export class Responder {
  readonly #options: ResponderOptions;
  #waiting = 0;

  constructor(options: ResponderOptions) {
    this.#options = options;
  }

  /** The answer, at once where we know it ourselves; `undefined` for what is no question. */
  respond(message: Uint8Array, transport: Transport): Uint8Array | Promise<Uint8Array> | undefined {
    const read = readQuery(message);
    if (read.kind === "ignored") return undefined;
    const { query } = read;
    const limitBytes =
      transport === "tcp" ? LONGEST_MESSAGE : Math.min(query.datagramBytes, LONGEST_DATAGRAM);
    const reply = (code: Code): Uint8Array => encodeReply(query, { code, limitBytes });
    if (read.kind === "refused") return reply(read.code);
    try {
      const answers = answerLocally(query, this.#options.names, this.#options.random);
      if (answers !== undefined) return encodeReply(query, { code: CODE.success, answers, limitBytes });
    } catch (error) {
      // A name of ours that is too long to be written.
      if (EngineError.is(error, "invalid")) return reply(CODE.failure);
      throw error;
    }
    if (isBareName(query) && this.#options.keepsBareNames()) return reply(CODE.success);
    if (this.#waiting >= MAX_WAITING) return reply(CODE.refused);
    return this.#forward(message, transport).then((answer) =>
      answer === undefined ? reply(CODE.failure) : relayedReply(answer, query, limitBytes),
    );
  }

  async #forward(message: Uint8Array, transport: Transport): Promise<Uint8Array | undefined> {
    this.#waiting++;
    try {
      return await this.#options.forward(message, transport);
    } finally {
      this.#waiting--;
    }
  }
}

function isBareName({ name, type }: Query): boolean {
  return !name.includes(".") && (type === TYPE.A || type === TYPE.AAAA);
}
