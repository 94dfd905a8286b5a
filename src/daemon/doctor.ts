import { readFileSync, statfsSync } from "node:fs";
import { parseArgs } from "node:util";
import { EngineError, errorMessage } from "#base/errors.ts";
import { humanSize } from "#base/sizes.ts";
import { mendHybrid, strayControllers } from "#linux/hybrid-mend.ts";
import type { Kernel } from "#linux/kernel.ts";
import { run } from "#linux/process.ts";
import { openKernel } from "#linux/real-kernel.ts";

/** What one look at the host found. */
type Finding =
  | { readonly kind: "right"; readonly detail: string }
  /** `command` mends it; `mend` does the same, where we can. */
  | {
      readonly kind: "wrong";
      readonly detail: string;
      readonly command: string;
      readonly mend?: () => Promise<void>;
    };

interface Check {
  readonly name: string;
  readonly look: (kernel: Kernel) => Promise<Finding>;
}

const USAGE = `Usage:  darse doctor [OPTIONS]

Say what this host lacks for running containers, and the command that mends it

Options:
      --fix     Mend what can be mended
  -q, --quiet   Print only what is wrong or was mended
`;

/** Programs the engine runs, and the Debian package of each. */
const PROGRAMS: readonly (readonly [program: string, packageName: string])[] = [
  ["crun", "crun"],
  ["conmon", "conmon"],
  ["nft", "nftables"],
];

/** Below this an image of some size cannot be unpacked. */
const LITTLE_SPACE_BYTES = 1_000_000_000;

const checks: readonly Check[] = [
  { name: "user", look: checkUser },
  ...PROGRAMS.map(([program, packageName]) => ({
    name: program,
    look: () => checkProgram(program, packageName),
  })),
  { name: "cgroups", look: checkCgroups },
  { name: "overlayfs", look: checkOverlay },
  { name: "disk", look: checkDisk },
];

/** `darse doctor`. Exit code 0 when the engine can run here, 1 when something is missing. */
export async function runDoctor(args: readonly string[]): Promise<number> {
  const flags = parseFlags(args);
  if (flags.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const kernel = openKernel();
  let isWell = true;
  for (const { name, look } of checks) {
    const report = await examine(name, await look(kernel), flags.fix);
    isWell &&= report.isWell;
    if (!flags.quiet || report.isNews) process.stdout.write(report.text);
  }
  return isWell ? 0 : 1;
}

interface Report {
  readonly isWell: boolean;
  /** Something was wrong. */
  readonly isNews: boolean;
  readonly text: string;
}

async function examine(name: string, finding: Finding, mayMend: boolean): Promise<Report> {
  const line = (mark: string, detail: string): string => `${mark.padEnd(7)} ${name.padEnd(10)} ${detail}\n`;
  if (finding.kind === "right") return { isWell: true, isNews: false, text: line("ok", finding.detail) };
  const { detail, command, mend } = finding;
  const ailing = (why: string): Report => ({
    isWell: false,
    isNews: true,
    text: line("missing", `${why}\n${" ".repeat(19)}${command}`),
  });
  if (!mayMend || mend === undefined) return ailing(detail);
  try {
    await mend();
    return { isWell: true, isNews: true, text: line("mended", detail) };
  } catch (error) {
    return ailing(`${detail}; mending it failed: ${errorMessage(error)}`);
  }
}

async function checkUser(): Promise<Finding> {
  if (process.getuid?.() === 0) return { kind: "right", detail: "root" };
  return {
    kind: "wrong",
    detail: "the engine makes mounts and namespaces, which takes root",
    command: "sudo darse doctor",
  };
}

async function checkProgram(program: string, packageName: string): Promise<Finding> {
  try {
    const { stdout, stderr } = await run([program, "--version"]);
    const text = new TextDecoder().decode(stdout) || stderr;
    return { kind: "right", detail: text.split("\n")[0]?.trim() ?? "" };
  } catch (error) {
    if (!EngineError.is(error, "unavailable")) throw error;
    const command = ["apt-get", "install", "-y", "--no-install-recommends", packageName];
    return {
      kind: "wrong",
      detail: "it is not installed",
      command: command.join(" "),
      mend: () => mustRun(command),
    };
  }
}

async function checkCgroups(kernel: Kernel): Promise<Finding> {
  const stray = strayControllers(kernel);
  if (stray.length === 0) return { kind: "right", detail: kernel.cgroupMode() };
  return {
    kind: "wrong",
    detail: `crun refuses to start while the v2 hierarchy of this hybrid host owns ${stray.join(", ")}`,
    command: stray
      .map(
        (name) =>
          `mkdir -p /sys/fs/cgroup/${name} && mount -t cgroup -o ${name} ${name} /sys/fs/cgroup/${name}`,
      )
      .join(" && "),
    mend: async () => void mendHybrid(kernel),
  };
}

async function checkOverlay(): Promise<Finding> {
  const hasOverlay = (): boolean => /\boverlay$/m.test(readFileSync("/proc/filesystems", "utf8"));
  if (hasOverlay()) return { kind: "right", detail: "in the kernel" };
  return {
    kind: "wrong",
    detail: "the kernel has no overlayfs loaded",
    command: "modprobe overlay",
    mend: () => mustRun(["modprobe", "overlay"]),
  };
}

async function checkDisk(): Promise<Finding> {
  const { bavail, bsize } = statfsSync("/var/lib");
  const free = bavail * bsize;
  if (free >= LITTLE_SPACE_BYTES) return { kind: "right", detail: `${humanSize(free)} free in /var/lib` };
  return {
    kind: "wrong",
    detail: `only ${humanSize(free)} are free in /var/lib`,
    command: "darse image prune, or make room",
  };
}

async function mustRun(command: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await run(command);
  if (exitCode !== 0)
    throw new EngineError("internal", `${command.join(" ")} gave ${exitCode}: ${stderr.trim()}`);
}

function parseFlags(args: readonly string[]): { fix: boolean; quiet: boolean; help: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      fix: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
      quiet: { type: "boolean", short: "q", default: false },
    },
  });
  return values;
}
