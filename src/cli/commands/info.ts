import { VERSION } from "#api/product.ts";
import type { SystemInfo } from "#api/system.ts";
import { command } from "../command.ts";
import { Template } from "../format/template.ts";
import { FORMAT_HELP } from "../format-flag.ts";

export const info = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: { format: { type: "string", short: "f", help: FORMAT_HELP } },
  async run(_args, { format }, context) {
    const found = await context.client.system.info();
    if (format === undefined || format === "") {
      context.out.write(infoText(found));
      for (const warning of found.Warnings ?? []) context.error.write(`${warning}\n`);
      return 0;
    }
    const document = { ...found, ClientInfo: { Version: VERSION, Context: "default", Debug: false } };
    context.out.write(
      `${format === "json" ? JSON.stringify(document) : new Template(format).render(document)}\n`,
    );
    return 0;
  },
});

/** Docker's list, the client's part first. */
export function infoText(info: SystemInfo): string {
  const gib = (info.MemTotal / 1024 ** 3).toPrecision(4);
  const lines: (readonly [string, string | number | boolean] | readonly string[])[] = [
    ["Containers", info.Containers],
    [" Running", info.ContainersRunning],
    [" Paused", info.ContainersPaused],
    [" Stopped", info.ContainersStopped],
    ["Images", info.Images],
    ["Server Version", info.ServerVersion],
    ["Storage Driver", info.Driver],
    ...(info.DriverStatus ?? []).map(([name, value]) => [` ${name}`, value] as const),
    ["Logging Driver", info.LoggingDriver],
    ["Cgroup Driver", info.CgroupDriver],
    ["Cgroup Version", info.CgroupVersion],
    ["Plugins", ""],
    [" Volume", (info.Plugins?.Volume ?? []).join(" ")],
    [" Network", (info.Plugins?.Network ?? []).join(" ")],
    [" Log", (info.Plugins?.Log ?? []).join(" ")],
    ["Runtimes", Object.keys(info.Runtimes ?? {}).join(" ")],
    ["Default Runtime", info.DefaultRuntime],
    ["Init Binary", info.InitBinary],
    ["Security Options", ""],
    ...(info.SecurityOptions ?? []).map((option) => [
      `  ${option.replace(/^name=/, "").replace(",", "\n   ")}`,
    ]),
    ["Kernel Version", info.KernelVersion],
    ["Operating System", info.OperatingSystem],
    ["OSType", info.OSType],
    ["Architecture", info.Architecture],
    ["CPUs", info.NCPU],
    ["Total Memory", `${gib}GiB`],
    ["Name", info.Name],
    ["ID", info.ID],
    ["Docker Root Dir", info.DockerRootDir],
    ["Debug Mode", info.Debug],
    ["Live Restore Enabled", info.LiveRestoreEnabled],
  ];
  const server = lines.map((line) =>
    line.length === 1 ? ` ${line[0]}\n` : ` ${line[0]}: ${line[1]}`.trimEnd() + "\n",
  );
  return `Client:\n Version:    ${VERSION}\n Context:    default\n Debug Mode: false\n\nServer:\n${server.join("")}`;
}
