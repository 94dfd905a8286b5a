import { readFileSync, statSync } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";
import { run } from "../process.ts";
import { type ProcessFacts, processTable } from "./process-row.ts";
import { checkPsOptions, parsePsOutput, type ProcessTable } from "./ps-output.ts";

const DEFAULT_OPTIONS = "-ef";
/** `ps` reads more of its environment than we want it to. */
const ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

/**
 * The processes `pids` as this host's `ps` shows them with `options`, divided at spaces and never seen by a shell. Where
 * there is no `ps` the default columns are read from `/proc`.
 *
 * @throws {EngineError} invalid for options that `ps` or we refuse; unavailable for options without a `ps`
 */
export async function listProcesses(
  options: string,
  pids: readonly number[],
  signal: AbortSignal,
): Promise<ProcessTable> {
  const text = options === "" ? DEFAULT_OPTIONS : options;
  checkPsOptions(text);
  try {
    return parsePsOutput(await runPs(text.split(" "), pids, signal), new Set(pids));
  } catch (error) {
    if (!EngineError.is(error, "unavailable") || text !== DEFAULT_OPTIONS) throw error;
    return readProcessTable(pids);
  }
}

/** The columns of `ps -ef`, from `/proc`; a process that ends meanwhile is left out. */
export function readProcessTable(pids: readonly number[]): ProcessTable {
  const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ", 1)[0]);
  const nowMs = Date.now();
  return processTable(pids.flatMap(readProcess), {
    nowMs,
    bootMs: nowMs - uptime * 1000,
    userNames: parseUserNames(readFileSync("/etc/passwd", "utf8")),
  });
}

/** Some options do not go with a list of processes; then all are listed, and ours picked out afterwards. */
async function runPs(
  options: readonly string[],
  pids: readonly number[],
  signal: AbortSignal,
): Promise<string> {
  const listed = await run(["ps", ...options, `-q${pids.join(",")}`], { env: ENV, signal });
  const { exitCode, stdout, stderr } =
    listed.exitCode === 0 ? listed : await run(["ps", ...options], { env: ENV, signal });
  if (exitCode !== 0) {
    throw new EngineError("invalid", `ps: ${stderr.split("\n", 1)[0] || `exit status ${exitCode}`}`);
  }
  return new TextDecoder().decode(stdout);
}

function readProcess(pid: number): ProcessFacts[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const { uid } = statSync(`/proc/${pid}`);
    return [{ pid, stat, uid, cmdline: readFileSync(`/proc/${pid}/cmdline`, "utf8") }];
  } catch (error) {
    if (isErrno(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}

function parseUserNames(passwd: string): Map<number, string> {
  const lines = passwd.split("\n").map((line) => line.split(":"));
  // The first entry of a uid names it.
  return new Map(
    lines.toReversed().flatMap(([name, , uid]) => (name && uid ? [[Number(uid), name] as const] : [])),
  );
}
