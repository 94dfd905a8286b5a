import { EngineError } from "#base/errors.ts";

/** signal(7), in kernel order on every architecture but mips, parisc and sparc; the index is the number. */
const NAMES = `
  - HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG
  XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
`
  .trim()
  .split(/\s+/);

const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };

/** What glibc gives programs as SIGRTMIN and SIGRTMAX; 32 and 33 are its own. */
const FIRST_REALTIME = 34;
const LAST_REALTIME = 64;

/**
 * The number of `TERM`, `sigterm`, `15`, `SIGRTMIN+3` or `RTMAX-1`.
 * @throws {EngineError} invalid with Docker's text `invalid signal: X` (moby/sys/signal).
 */
export function parseSignal(text: string): number {
  const number = signalNumber(text.trim());
  if (number === undefined) throw new EngineError("invalid", `invalid signal: ${text}`);
  return number;
}

function signalNumber(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= LAST_REALTIME ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const index = NAMES.indexOf(name);
  if (index > 0) return index;
  return Object.hasOwn(ALIASES, name) ? ALIASES[name] : realtimeNumber(name);
}

function realtimeNumber(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (!match) return undefined;
  const [, edge, sign, digits] = match;
  if (sign !== undefined && (sign === "+") !== (edge === "MIN")) return undefined;
  const offset = Number(digits ?? 0);
  const number = edge === "MIN" ? FIRST_REALTIME + offset : LAST_REALTIME - offset;
  return number >= FIRST_REALTIME && number <= LAST_REALTIME ? number : undefined;
}
