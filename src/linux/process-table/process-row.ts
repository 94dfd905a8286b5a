import type { ProcessTable } from "./ps-output.ts";

/** What `/proc/<pid>` says of a process. */
export interface ProcessFacts {
  readonly pid: number;
  /** Text of `stat`, `proc_pid_stat(5)`. */
  readonly stat: string;
  readonly uid: number;
  /** Arguments with zero bytes between them; empty for a thread of the kernel and for what has ended. */
  readonly cmdline: string;
}

export interface TableFacts {
  readonly nowMs: number;
  /** When this host was started. Epoch milliseconds. */
  readonly bootMs: number;
  /** By uid, from `/etc/passwd`. */
  readonly userNames: ReadonlyMap<number, string>;
}

const TICKS_PER_SECOND = 100;
const USER_WIDTH = 8;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The columns of `ps -ef`, for a host that has no `ps`. */
export function processTable(processes: readonly ProcessFacts[], facts: TableFacts): ProcessTable {
  return {
    titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
    rows: processes.map((process) => row(process, facts)),
  };
}

function row({ pid, stat, uid, cmdline }: ProcessFacts, facts: TableFacts): string[] {
  const end = stat.lastIndexOf(")");
  const name = stat.slice(stat.indexOf("(") + 1, end);
  const fields = stat.slice(end + 2).split(" ");
  const at = (index: number): number => Number(fields[index] ?? 0);
  const cpuSeconds = (at(11) + at(12)) / TICKS_PER_SECOND;
  const startedMs = facts.bootMs + (at(19) / TICKS_PER_SECOND) * 1000;
  const ageSeconds = Math.max(1, (facts.nowMs - startedMs) / 1000);
  const command = cmdline.split("\0").join(" ").trimEnd();
  return [
    userName(uid, facts.userNames),
    String(pid),
    String(at(1)),
    String(Math.min(99, Math.floor((cpuSeconds * 100) / ageSeconds))),
    startText(startedMs, facts.nowMs),
    terminalName(at(4)),
    cpuTime(Math.floor(cpuSeconds)),
    printable(command === "" ? `[${name}]` : command),
  ];
}

function userName(uid: number, names: ReadonlyMap<number, string>): string {
  const name = names.get(uid) ?? String(uid);
  return name.length > USER_WIDTH ? `${name.slice(0, USER_WIDTH - 1)}+` : name;
}

/** `14:05` of today, `Nov21` of this year, `2025` before. */
function startText(startedMs: number, nowMs: number): string {
  const started = new Date(startedMs);
  const now = new Date(nowMs);
  if (started.getFullYear() !== now.getFullYear()) return String(started.getFullYear());
  if (started.getMonth() !== now.getMonth() || started.getDate() !== now.getDate()) {
    return `${MONTHS[started.getMonth()]}${two(started.getDate())}`;
  }
  return `${two(started.getHours())}:${two(started.getMinutes())}`;
}

/** From a device number: pseudo terminals have the majors 136 to 143, the console's have 4. */
function terminalName(device: number): string {
  const major = (device >>> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >>> 12) & 0xfff00);
  if (major >= 136 && major <= 143) return `pts/${(major - 136) * 256 + minor}`;
  if (major === 4) return minor < 64 ? `tty${minor}` : `ttyS${minor - 64}`;
  return "?";
}

/** `00:00:07`, `3-02:00:00`. */
function cpuTime(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const clock = [seconds / 3600, seconds / 60, seconds].map((value, i) =>
    two(Math.floor(value) % (i === 0 ? 24 : 60)),
  );
  return `${days > 0 ? `${days}-` : ""}${clock.join(":")}`;
}

/** A process calls itself what it likes; what is no text does not reach a terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
