import { write } from "node:fs";
import { promisify } from "node:util";
import { check, lastErrno, libc } from "../_libc.ts";
import { errnoNumber, SystemCallError } from "../errno.ts";
import {
  concatenate,
  decodeAcknowledgement,
  decodeMessages,
  encodeMessage,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
} from "./message.ts";
import { NetlinkError } from "./netlink-error.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_TRUNC = 0x20;
const RECEIVE_BYTES = 256 * 1024;
const RECEIVE_TIMEOUT_SECONDS = 5n;
/** A dump that other changes disturb is asked again this often. */
const DUMP_ATTEMPTS = 8;
const EINTR = errnoNumber("EINTR");

const writeInThreadPool = promisify(write<Uint8Array>);

/** Shared by all sockets: every exchange is over before another begins, as all calls are synchronous. */
const received = new Uint8Array(RECEIVE_BYTES);

let netfilter: NetlinkSocket | undefined;

/** The kernel's own numbers of the families we speak. */
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;

/** One request: `operation` completes the sentence "Cannot …" and names the device. */
export interface NetlinkRequest {
  readonly operation: string;
  readonly type: number;
  /** Beside `NLM_F_REQUEST` and `NLM_F_ACK`. */
  readonly flags?: number;
  readonly payload: Uint8Array;
}

/**
 * A synchronous netlink socket. It belongs to the network namespace in which it was opened, for ever: one opened
 * inside `kernel.inNetworkNamespace` goes on serving that namespace.
 */
export class NetlinkSocket implements Disposable {
  readonly #fd: number;
  #sequence = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws {SystemCallError} */
  static open(family: number): NetlinkSocket {
    const fd = check(libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, family), "socket", "netlink");
    const one = Uint32Array.of(1);
    libc.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, one, 4);
    libc.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, one, 4);
    // The kernel answers while it takes the request; the limit only keeps a surprise from stopping the engine.
    libc.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, BigUint64Array.of(RECEIVE_TIMEOUT_SECONDS, 0n), 16);
    return new NetlinkSocket(fd);
  }

  /**
   * The one to the host's netfilter, kept for as long as the process lives: the kernel holds whoever closes one until all
   * that was taken out of the firewall is freed, some 10 ms. Not to be used inside another namespace, nor disposed.
   */
  static toNetfilter(): NetlinkSocket {
    return (netfilter ??= NetlinkSocket.open(NETLINK_NETFILTER));
  }

  /**
   * Sends all requests as one datagram; the kernel works through them in order and answers each. The first refusal is
   * thrown, after all were tried.
   *
   * @throws {NetlinkError}
   */
  request(...requests: readonly NetlinkRequest[]): void {
    this.#requestFramed(requests, () => []);
  }

  /**
   * Like `request`, of the netfilter family, as one transaction: all of it takes effect, or nothing.
   *
   * @throws {NetlinkError}
   */
  transact(subsystem: number, requests: readonly NetlinkRequest[]): void {
    // `struct nfgenmsg`: no family, version 0, the subsystem.
    const payload = Uint8Array.of(0, 0, subsystem >> 8, subsystem & 0xff);
    this.#requestFramed(requests, (type) => {
      // Not acknowledged, as kernels before 6.10 do not do that.
      return [encodeMessage({ type, flags: NLM_F_REQUEST, sequence: ++this.#sequence, payload })];
    });
  }

  #requestFramed(requests: readonly NetlinkRequest[], frame: (type: number) => Uint8Array[]): void {
    const waiting = new Map<number, NetlinkRequest>();
    const datagram = frame(NFNL_MSG_BATCH_BEGIN);
    for (const request of requests) {
      const sequence = ++this.#sequence;
      waiting.set(sequence, request);
      const flags = NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0);
      datagram.push(encodeMessage({ type: request.type, flags, sequence, payload: request.payload }));
    }
    this.#send(concatenate([...datagram, ...frame(NFNL_MSG_BATCH_END)]));
    this.#awaitAcknowledgements(waiting);
  }

  /**
   * The payload of the one message that answers a question.
   *
   * @throws {NetlinkError}
   */
  query(request: NetlinkRequest): Uint8Array {
    const sequence = ++this.#sequence;
    const flags = NLM_F_REQUEST | (request.flags ?? 0);
    this.#send(encodeMessage({ type: request.type, flags, sequence, payload: request.payload }));
    for (;;) {
      for (const message of decodeMessages(this.#receive())) {
        if (message.sequence !== sequence) continue;
        if (message.type !== NLMSG_ERROR) return message.payload.slice();
        const { errno, text } = decodeAcknowledgement(message);
        throw new NetlinkError(request.operation, errno, text);
      }
    }
  }

  /**
   * Like `request`, but the kernel does its work on another thread: for what makes it wait, such as deleting a link.
   * Nothing else may use the socket meanwhile.
   *
   * @throws {NetlinkError}
   */
  async requestInBackground(request: NetlinkRequest): Promise<void> {
    const sequence = ++this.#sequence;
    const flags = NLM_F_REQUEST | NLM_F_ACK | (request.flags ?? 0);
    const datagram = encodeMessage({ type: request.type, flags, sequence, payload: request.payload });
    await writeInThreadPool(this.#fd, datagram);
    this.#awaitAcknowledgements(new Map([[sequence, request]]));
  }

  /**
   * The payloads of a dump. One that changed under way is asked again.
   *
   * @throws {NetlinkError}
   */
  dump(request: Omit<NetlinkRequest, "flags">): Uint8Array[] {
    for (let attempt = 1; ; attempt++) {
      const { payloads, isWhole } = this.#dumpOnce(request);
      if (isWhole || attempt === DUMP_ATTEMPTS) return payloads;
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }

  #awaitAcknowledgements(waiting: Map<number, NetlinkRequest>): void {
    let failure: NetlinkError | undefined;
    while (waiting.size > 0) {
      for (const message of decodeMessages(this.#receive())) {
        const request = waiting.get(message.sequence);
        if (request === undefined || message.type !== NLMSG_ERROR) continue;
        waiting.delete(message.sequence);
        const { errno, text } = decodeAcknowledgement(message);
        if (errno !== 0) failure ??= new NetlinkError(request.operation, errno, text);
      }
    }
    if (failure) throw failure;
  }

  #dumpOnce(request: Omit<NetlinkRequest, "flags">): { payloads: Uint8Array[]; isWhole: boolean } {
    const sequence = ++this.#sequence;
    const flags = NLM_F_REQUEST | NLM_F_DUMP;
    this.#send(encodeMessage({ type: request.type, flags, sequence, payload: request.payload }));
    const payloads: Uint8Array[] = [];
    let isWhole = true;
    for (;;) {
      for (const message of decodeMessages(this.#receive())) {
        if (message.sequence !== sequence) continue;
        if ((message.flags & NLM_F_DUMP_INTR) !== 0) isWhole = false;
        if (message.type === NLMSG_DONE) return { payloads, isWhole };
        if (message.type === NLMSG_ERROR) {
          const { errno, text } = decodeAcknowledgement(message);
          throw new NetlinkError(request.operation, errno, text);
        }
        payloads.push(message.payload.slice());
      }
    }
  }

  #send(datagram: Uint8Array): void {
    check(libc.send(this.#fd, datagram, datagram.length, 0), "send", "netlink");
  }

  #receive(): Uint8Array {
    for (;;) {
      const length = libc.recv(this.#fd, received, received.length, MSG_TRUNC);
      if (length > received.length) throw new Error(`netlink answer of ${length} bytes is too long`);
      if (length >= 0) return received.subarray(0, length);
      const errno = lastErrno();
      if (errno !== EINTR) throw new SystemCallError("recv", errno, "netlink");
    }
  }
}
