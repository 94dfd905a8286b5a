import type { Command } from "./command.ts";

export type Section = "Common Commands" | "Management Commands" | "Commands";

/** Where a command stands in help, and how its file is loaded: only the one that is called is. */
export interface CatalogEntry {
  /** Every full name, in Docker's order of aliases. */
  readonly paths: readonly string[];
  readonly summary: string;
  readonly section: Section;
  readonly load: () => Promise<Command>;
}

/** A word with commands below it. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
}

export const GROUPS: readonly CommandGroup[] = [
  { name: "container", summary: "Manage containers" },
  { name: "image", summary: "Manage images" },
  { name: "network", summary: "Manage networks" },
  { name: "volume", summary: "Manage volumes" },
];

const entry = (
  paths: string,
  summary: string,
  load: CatalogEntry["load"],
  section: Section = "Commands",
): CatalogEntry => ({ paths: paths.split(", "), summary, section, load });

const common = "Common Commands";

const NETWORK_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "network inspect",
    "Display detailed information on one or more networks",
    async () => (await import("./commands/inspect.ts")).inspectNetworks,
  ),
  entry(
    "network ls, network list",
    "List networks",
    async () => (await import("./commands/network-ls.ts")).listNetworks,
  ),
];

const VOLUME_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "volume create",
    "Create a volume",
    async () => (await import("./commands/volume-create.ts")).createVolume,
  ),
  entry(
    "volume inspect",
    "Display detailed information on one or more volumes",
    async () => (await import("./commands/inspect.ts")).inspectVolumes,
  ),
  entry(
    "volume ls, volume list",
    "List volumes",
    async () => (await import("./commands/volume-ls.ts")).listVolumes,
  ),
  entry(
    "volume prune",
    "Remove unused local volumes",
    async () => (await import("./commands/volume-prune.ts")).pruneVolumes,
  ),
  entry(
    "volume rm, volume remove",
    "Remove one or more volumes",
    async () => (await import("./commands/volume-rm.ts")).removeVolumes,
  ),
];

export const CATALOG: readonly CatalogEntry[] = [
  entry(
    "container run, run",
    "Create and run a new container from an image",
    async () => (await import("./commands/run.ts")).run,
    common,
  ),
  entry(
    "container exec, exec",
    "Execute a command in a running container",
    async () => (await import("./commands/exec.ts")).exec,
    common,
  ),
  entry(
    "container ls, container list, container ps, ps",
    "List containers",
    async () => (await import("./commands/ps.ts")).ps,
    common,
  ),
  entry(
    "image build, build",
    "Build an image from a Dockerfile",
    async () => (await import("./commands/build.ts")).build,
    common,
  ),
  entry(
    "image pull, pull",
    "Download an image from a registry",
    async () => (await import("./commands/pull.ts")).pull,
    common,
  ),
  entry(
    "image ls, image list, images",
    "List images",
    async () => (await import("./commands/images.ts")).images,
    common,
  ),
  entry(
    "version",
    "Show the Darse version information",
    async () => (await import("./commands/version.ts")).version,
    common,
  ),
  entry(
    "info",
    "Display system-wide information",
    async () => (await import("./commands/info.ts")).info,
    common,
  ),
  entry(
    "container attach, attach",
    "Attach local standard input, output, and error streams to a running container",
    async () => (await import("./commands/attach.ts")).attach,
  ),
  entry(
    "container commit, commit",
    "Create a new image from a container's changes",
    async () => (await import("./commands/commit.ts")).commit,
  ),
  entry(
    "container cp, cp",
    "Copy files/folders between a container and the local filesystem",
    async () => (await import("./commands/cp.ts")).cp,
  ),
  entry(
    "container create, create",
    "Create a new container",
    async () => (await import("./commands/create.ts")).create,
  ),
  entry(
    "container diff, diff",
    "Inspect changes to files or directories on a container's filesystem",
    async () => (await import("./commands/diff.ts")).diff,
  ),
  entry(
    "events",
    "Get real time events from the server",
    async () => (await import("./commands/events.ts")).events,
  ),
  entry(
    "container export, export",
    "Export a container's filesystem as a tar archive",
    async () => (await import("./commands/export.ts")).exportContainer,
  ),
  entry(
    "image history, history",
    "Show the history of an image",
    async () => (await import("./commands/history.ts")).history,
  ),
  entry(
    "image import, import",
    "Import the contents from a tarball to create a filesystem image",
    async () => (await import("./commands/import.ts")).importImage,
  ),
  entry(
    "inspect",
    "Return low-level information on Docker objects",
    async () => (await import("./commands/inspect.ts")).inspect,
  ),
  entry(
    "container inspect",
    "Display detailed information on one or more containers",
    async () => (await import("./commands/inspect.ts")).inspectContainers,
  ),
  entry(
    "image inspect",
    "Display detailed information on one or more images",
    async () => (await import("./commands/inspect.ts")).inspectImages,
  ),
  entry(
    "container kill, kill",
    "Kill one or more running containers",
    async () => (await import("./commands/kill.ts")).kill,
  ),
  entry(
    "image load, load",
    "Load an image from a tar archive or STDIN",
    async () => (await import("./commands/load.ts")).load,
  ),
  entry(
    "container logs, logs",
    "Fetch the logs of a container",
    async () => (await import("./commands/logs.ts")).logs,
  ),
  entry(
    "container pause, pause",
    "Pause all processes within one or more containers",
    async () => (await import("./commands/pause.ts")).pause,
  ),
  entry(
    "container port, port",
    "List port mappings or a specific mapping for the container",
    async () => (await import("./commands/port.ts")).port,
  ),
  entry(
    "container prune",
    "Remove all stopped containers",
    async () => (await import("./commands/container-prune.ts")).pruneContainers,
  ),
  entry(
    "container rename, rename",
    "Rename a container",
    async () => (await import("./commands/rename.ts")).rename,
  ),
  entry(
    "container restart, restart",
    "Restart one or more containers",
    async () => (await import("./commands/restart.ts")).restart,
  ),
  entry(
    "container rm, container remove, rm",
    "Remove one or more containers",
    async () => (await import("./commands/rm.ts")).rm,
  ),
  entry(
    "image rm, image remove, rmi",
    "Remove one or more images",
    async () => (await import("./commands/rmi.ts")).rmi,
  ),
  entry(
    "image save, save",
    "Save one or more images to a tar archive (streamed to STDOUT by default)",
    async () => (await import("./commands/save.ts")).save,
  ),
  entry(
    "container start, start",
    "Start one or more stopped containers",
    async () => (await import("./commands/start.ts")).start,
  ),
  entry(
    "container stats, stats",
    "Display a live stream of container(s) resource usage statistics",
    async () => (await import("./commands/stats.ts")).stats,
  ),
  entry(
    "container stop, stop",
    "Stop one or more running containers",
    async () => (await import("./commands/stop.ts")).stop,
  ),
  entry(
    "image tag, tag",
    "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    async () => (await import("./commands/tag.ts")).tag,
  ),
  entry(
    "container top, top",
    "Display the running processes of a container",
    async () => (await import("./commands/top.ts")).top,
  ),
  entry(
    "container unpause, unpause",
    "Unpause all processes within one or more containers",
    async () => (await import("./commands/unpause.ts")).unpause,
  ),
  entry(
    "container update, update",
    "Update configuration of one or more containers",
    async () => (await import("./commands/update.ts")).update,
  ),
  entry(
    "container wait, wait",
    "Block until one or more containers stop, then print their exit codes",
    async () => (await import("./commands/wait.ts")).wait,
  ),
  ...NETWORK_COMMANDS,
  ...VOLUME_COMMANDS,
];

/** Programs of the same executable that are no API clients; `src/main.ts` starts them. */
export const PROGRAMS: readonly (readonly [string, string])[] = [
  ["daemon", "Run the engine in the foreground"],
  ["doctor", "Find what is missing on this machine, and mend it with --fix"],
];

/** The entry called `path`. */
export function findEntry(path: string): CatalogEntry | undefined {
  return CATALOG.find(({ paths }) => paths.includes(path));
}
