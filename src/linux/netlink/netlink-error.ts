import { errnoName, SystemCallError } from "../errno.ts";

/** A request that the kernel's netlink answered with an error. `code` is the errno's name, for `isErrno` of base. */
export class NetlinkError extends Error {
  override readonly name = "NetlinkError";
  readonly code: string;
  /** What was asked, with its subject: `create bridge darse0`. */
  readonly operation: string;

  /** `text` is the kernel's own reason, where it gave one. */
  constructor(operation: string, errno: number, text?: string) {
    const code = errnoName(errno);
    const reason = text === undefined ? new SystemCallError("netlink", errno).message.split(": ")[1] : text;
    super(`Cannot ${operation}: ${reason}${text === undefined ? "" : ` (${code})`}`);
    this.code = code;
    this.operation = operation;
  }
}
