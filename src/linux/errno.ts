import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

/**
 * A system call that the kernel refused: names the call and the path (or other subject) it was made on. `code` is the
 * errno's name, so that `isErrno` of base works as it does for errors of `node:fs`.
 */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";
  /** The errno's name, such as `"ENOENT"`. */
  readonly code: string;
  /** The errno's number, positive. */
  readonly errno: number;
  /** The system call, such as `"mount"`. */
  readonly call: string;
  /** What it was made on, where that is known. */
  readonly path: string | undefined;

  constructor(call: string, errno: number, path?: string) {
    const code = errnoName(errno);
    const subject = path === undefined ? "" : ` on ${JSON.stringify(path)}`;
    super(`System call ${call} failed${subject}: ${errnoText(errno)} (${code})`);
    this.code = code;
    this.errno = errno;
    this.call = call;
    this.path = path;
  }
}

/** Linux names that `node:os` leaves out, or has under an older name first. */
const LINUX_NAMES: readonly (readonly [number, string])[] = [
  [11, "EAGAIN"],
  [61, "ENODATA"],
  [95, "EOPNOTSUPP"],
  [116, "ESTALE"],
  [117, "EUCLEAN"],
  [122, "EDQUOT"],
];

const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
  ...LINUX_NAMES,
]);

/** The name of an errno, `"ENOENT"` for 2; `"E<number>"` for one without a name. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `E${errno}`;
}

/** The number of an errno's name. */
export function errnoNumber(name: string): number {
  for (const [number, known] of NAMES) if (known === name) return number;
  throw new Error(`Cannot find an errno named ${JSON.stringify(name)}`);
}

function errnoText(errno: number): string {
  // libuv says "operation not supported on socket", whatever it was on.
  if (errno === 95) return "operation not supported";
  return getSystemErrorMap().get(-errno)?.[1] ?? "unknown error";
}
