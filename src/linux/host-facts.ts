import { readFileSync } from "node:fs";
import { availableParallelism, hostname, machine, release } from "node:os";
import { isErrno } from "#base/errors.ts";

/** What the machine is, as `/version` and `/info` tell it. */
export interface HostFacts {
  readonly hostname: string;
  /** `6.1.0-28-amd64` */
  readonly kernelVersion: string;
  /** `Debian GNU/Linux 12 (bookworm)` */
  readonly operatingSystem: string;
  /** `12`; empty where the system has no releases. */
  readonly osVersion: string;
  /** As `uname -m`: `x86_64`. */
  readonly machine: string;
  readonly cpuCount: number;
  /** Of the machine, whatever our own cgroup allows. */
  readonly memoryBytes: number;
}

export function readHostFacts(): HostFacts {
  const system = parseOsRelease(readOsRelease());
  return {
    hostname: hostname(),
    kernelVersion: release(),
    operatingSystem: system.get("PRETTY_NAME") ?? system.get("NAME") ?? "Linux",
    osVersion: system.get("VERSION_ID") ?? "",
    machine: machine(),
    cpuCount: availableParallelism(),
    memoryBytes: parseMemoryTotal(readFileSync("/proc/meminfo", "utf8")),
  };
}

/** The assignments of an `os-release` file, unquoted. `os-release(5)`. */
export function parseOsRelease(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s*([A-Z0-9_]+)=(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, unquote(value));
  }
  return values;
}

/** `MemTotal` of `/proc/meminfo`, in bytes; 0 when it is not there. */
export function parseMemoryTotal(text: string): number {
  const [, kibibytes] = /^MemTotal:\s+(\d+) kB$/m.exec(text) ?? [];
  return Number(kibibytes ?? 0) * 1024;
}

/** Shell quoting: single quotes keep all, double quotes and none let a backslash keep the next character. */
function unquote(value: string): string {
  const [, single] = /^'([^']*)'$/.exec(value) ?? [];
  if (single !== undefined) return single;
  const [, double] = /^"(.*)"$/.exec(value) ?? [];
  return (double ?? value).replace(/\\(.)/g, "$1");
}

function readOsRelease(): string {
  for (const path of ["/etc/os-release", "/usr/lib/os-release"]) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
  }
  return "";
}
