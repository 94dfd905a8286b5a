import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { run } from "./engine.ts";

/** What an engine could leave on a host, one line a thing. */
export interface HostTraces {
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly firewall: string;
  readonly cgroups: readonly string[];
  readonly processes: readonly string[];
}

/** The host as it is now, as far as it is concerned with `folder` (mounts, processes) or can be changed by an engine. */
export async function hostTraces(folder: string): Promise<HostTraces> {
  const [links, firewall] = await Promise.all([
    run("ip", ["-o", "link"]),
    run("nft", ["-s", "list", "ruleset"]),
  ]);
  return {
    mounts: readFileSync("/proc/self/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(folder)),
    links: links.stdout
      .split("\n")
      .map((line) => line.split(":")[1]?.trim() ?? "")
      .filter(Boolean),
    firewall: firewall.stdout,
    cgroups: cgroupFolders(),
    processes: processesOf(folder),
  };
}

function cgroupFolders(): string[] {
  return readdirSync("/sys/fs/cgroup", { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) =>
      readdirSync(`/sys/fs/cgroup/${name}`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => `${name}/${entry.name}`),
    )
    .filter((path) => /darse|docker|libpod|crun/.test(path));
}

function processesOf(folder: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      return command.includes(folder) && !readlinkSync(`/proc/${pid}/exe`).endsWith("/bun") ? [command] : [];
    } catch {
      // it ended while we looked
      return [];
    }
  });
}
