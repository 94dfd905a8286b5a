import { type CatalogEntry, common, entry } from "./entry.ts";

/** Commands on containers. */
export const CONTAINER_COMMANDS: readonly CatalogEntry[] = [
  entry(
    "container run, run",
    "Create and run a new container from an image",
    async () => (await import("../commands/run.ts")).run,
    common,
  ),
  entry(
    "container exec, exec",
    "Execute a command in a running container",
    async () => (await import("../commands/exec.ts")).exec,
    common,
  ),
  entry(
    "container ls, container list, container ps, ps",
    "List containers",
    async () => (await import("../commands/ps.ts")).ps,
    common,
  ),
  entry(
    "container attach, attach",
    "Attach local standard input, output, and error streams to a running container",
    async () => (await import("../commands/attach.ts")).attach,
  ),
  entry(
    "container commit, commit",
    "Create a new image from a container's changes",
    async () => (await import("../commands/commit.ts")).commit,
  ),
  entry(
    "container cp, cp",
    "Copy files/folders between a container and the local filesystem",
    async () => (await import("../commands/cp.ts")).cp,
  ),
  entry(
    "container create, create",
    "Create a new container",
    async () => (await import("../commands/create.ts")).create,
  ),
  entry(
    "container diff, diff",
    "Inspect changes to files or directories on a container's filesystem",
    async () => (await import("../commands/diff.ts")).diff,
  ),
  entry(
    "container export, export",
    "Export a container's filesystem as a tar archive",
    async () => (await import("../commands/export.ts")).exportContainer,
  ),
  entry(
    "container inspect",
    "Display detailed information on one or more containers",
    async () => (await import("../commands/inspect.ts")).inspectContainers,
  ),
  entry(
    "container kill, kill",
    "Kill one or more running containers",
    async () => (await import("../commands/kill.ts")).kill,
  ),
  entry(
    "container logs, logs",
    "Fetch the logs of a container",
    async () => (await import("../commands/logs.ts")).logs,
  ),
  entry(
    "container pause, pause",
    "Pause all processes within one or more containers",
    async () => (await import("../commands/pause.ts")).pause,
  ),
  entry(
    "container port, port",
    "List port mappings or a specific mapping for the container",
    async () => (await import("../commands/port.ts")).port,
  ),
  entry(
    "container prune",
    "Remove all stopped containers",
    async () => (await import("../commands/container-prune.ts")).pruneContainers,
  ),
  entry(
    "container rename, rename",
    "Rename a container",
    async () => (await import("../commands/rename.ts")).rename,
  ),
  entry(
    "container restart, restart",
    "Restart one or more containers",
    async () => (await import("../commands/restart.ts")).restart,
  ),
  entry(
    "container rm, container remove, rm",
    "Remove one or more containers",
    async () => (await import("../commands/rm.ts")).rm,
  ),
  entry(
    "container start, start",
    "Start one or more stopped containers",
    async () => (await import("../commands/start.ts")).start,
  ),
  entry(
    "container stats, stats",
    "Display a live stream of container(s) resource usage statistics",
    async () => (await import("../commands/stats.ts")).stats,
  ),
  entry(
    "container stop, stop",
    "Stop one or more running containers",
    async () => (await import("../commands/stop.ts")).stop,
  ),
  entry(
    "container top, top",
    "Display the running processes of a container",
    async () => (await import("../commands/top.ts")).top,
  ),
  entry(
    "container unpause, unpause",
    "Unpause all processes within one or more containers",
    async () => (await import("../commands/unpause.ts")).unpause,
  ),
  entry(
    "container update, update",
    "Update configuration of one or more containers",
    async () => (await import("../commands/update.ts")).update,
  ),
  entry(
    "container wait, wait",
    "Block until one or more containers stop, then print their exit codes",
    async () => (await import("../commands/wait.ts")).wait,
  ),
];
