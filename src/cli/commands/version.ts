import { NEWEST_API } from "#api/version.ts";
import { VERSION } from "#api/product.ts";
import type { SystemVersion } from "#api/system.ts";
import { describeError } from "../describe-error.ts";
import { command } from "../command.ts";
import { Template } from "../format/template.ts";
import { FORMAT_HELP } from "../format-flag.ts";

export const version = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: { format: { type: "string", short: "f", help: FORMAT_HELP } },
  async run(_args, { format }, context) {
    const client = {
      Version: VERSION,
      ApiVersion: NEWEST_API.toString(),
      DefaultAPIVersion: NEWEST_API.toString(),
      Os: process.platform,
      Arch: process.arch === "x64" ? "amd64" : process.arch,
      Context: "default",
    };
    let server: SystemVersion | undefined;
    let failure: unknown;
    try {
      server = await context.client.system.version();
    } catch (error) {
      failure = error;
    }
    const document = { Client: client, Server: server };
    if (format === undefined || format === "") context.out.write(versionText(document));
    else
      context.out.write(
        `${format === "json" ? JSON.stringify(document) : new Template(format).render(document)}\n`,
      );
    if (failure === undefined) return 0;
    context.error.write(`${describeError(failure, false)}\n`);
    return 1;
  },
});

interface Document {
  readonly Client: Readonly<Record<"Version" | "ApiVersion" | "Os" | "Arch" | "Context", string>>;
  readonly Server: SystemVersion | undefined;
}

/** Docker's two blocks, aligned. */
export function versionText({ Client, Server }: Document): string {
  const line = (name: string, value: string): string => ` ${`${name}:`.padEnd(18)}${value}\n`;
  const client = [
    "Client:\n",
    line("Version", Client.Version),
    line("API version", Client.ApiVersion),
    line("OS/Arch", `${Client.Os}/${Client.Arch}`),
    line("Context", Client.Context),
  ];
  if (!Server) return client.join("");
  const server = [
    `\nServer: ${Server.Platform?.Name ?? ""}\n`,
    ...(Server.Components ?? []).flatMap((component) => [
      ` ${component.Name}:\n`,
      ` ${line("Version", component.Version)}`,
      ...Object.entries(component.Details ?? {})
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => ` ${line(name.replace(/([a-z])([A-Z])/g, "$1 $2"), value)}`),
    ]),
  ];
  return [...client, ...server].join("");
}
