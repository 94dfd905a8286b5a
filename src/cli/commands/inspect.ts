import { EngineError } from "#base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { describeError } from "../describe-error.ts";
import { Template } from "../format/template.ts";
import { FORMAT_HELP } from "../format-flag.ts";
import { platformJson } from "../specs/platform.ts";

const formatFlag = { type: "string", short: "f", help: FORMAT_HELP } as const;

export const inspect = command({
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  arguments: { min: 1 },
  flags: {
    format: formatFlag,
    size: { type: "bool", short: "s", help: "Display total file sizes if the type is container" },
    type: { type: "string", help: "Only inspect objects of the given type" },
  },
  run(args, { format, size, type }, context) {
    const { client } = context;
    const container = (id: string): Promise<unknown> => client.inspectContainerRaw(id, { size });
    const image = (id: string): Promise<unknown> => client.images.inspectRaw(id);
    const network = (id: string): Promise<unknown> => client.networks.inspectRaw(id);
    const volume = (id: string): Promise<unknown> => client.volumes.inspectRaw(id);
    const byType = new Map(Object.entries({ container, image, network, volume }));
    if (type !== undefined && type !== "") {
      const get = byType.get(type);
      if (get) return inspectAll(args, { format, get }, context);
      const known = [...byType.keys()].join(", ");
      throw new EngineError("invalid", `"${type}" is not a valid value for --type: it is one of ${known}`);
    }
    const get = async (id: string): Promise<unknown> => {
      for (const inspectOne of byType.values()) {
        const found = await unlessMissing(inspectOne(id));
        if (found !== undefined) return found;
      }
      throw new EngineError("not-found", `Error: No such object: ${id}`);
    };
    return inspectAll(args, { format, get }, context);
  },
});

export const inspectNetworks = command({
  usage: "[OPTIONS] NETWORK [NETWORK...]",
  arguments: { min: 1 },
  flags: {
    format: formatFlag,
    verbose: { type: "bool", short: "v", help: "Verbose output for diagnostics" },
  },
  run(args, { format, verbose }, context) {
    const get = (id: string): Promise<unknown> => context.client.networks.inspectRaw(id, { verbose });
    return inspectAll(args, { format, get }, context);
  },
});

export const inspectVolumes = command({
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  arguments: { min: 1 },
  flags: { format: formatFlag },
  run(args, { format }, context) {
    const get = (name: string): Promise<unknown> => context.client.volumes.inspectRaw(name);
    return inspectAll(args, { format, get }, context);
  },
});

export const inspectContainers = command({
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  arguments: { min: 1 },
  flags: { format: formatFlag, size: { type: "bool", short: "s", help: "Display total file sizes" } },
  run(args, { format, size }, context) {
    const get = (id: string): Promise<unknown> => context.client.inspectContainerRaw(id, { size });
    return inspectAll(args, { format, get }, context);
  },
});

export const inspectImages = command({
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  arguments: { min: 1 },
  flags: {
    format: formatFlag,
    platform: {
      type: "string",
      help: `Inspect a specific platform of the multi-platform image.
If the image or the server is not multi-platform capable, the command will error out if the platform does not match.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`,
    },
  },
  run(args, { format, platform }, context) {
    const query = { platform: platform && platformJson(platform) };
    const get = (id: string): Promise<unknown> => context.client.images.inspectRaw(id, query);
    return inspectAll(args, { format, get }, context);
  },
});

interface Inspection {
  readonly format: string | undefined;
  readonly get: (id: string) => Promise<unknown>;
}

/** Prints what is found even when something is missing, then what is missing; exit code 1 then. */
async function inspectAll(
  ids: readonly string[],
  { format, get }: Inspection,
  context: CommandContext,
): Promise<number> {
  const template =
    format === undefined || format === "" || format === "json" ? undefined : new Template(format);
  const found: unknown[] = [];
  const failures: string[] = [];
  for (const settled of await Promise.allSettled(ids.map(get))) {
    if (settled.status === "fulfilled") found.push(settled.value);
    else failures.push(describeError(settled.reason, false));
  }
  if (template) for (const one of found) context.out.write(`${template.render(one)}\n`);
  else context.out.write(`${JSON.stringify(found, null, format === "json" ? undefined : 4)}\n`);
  for (const failure of failures) context.error.write(`${failure}\n`);
  return failures.length > 0 ? 1 : 0;
}

async function unlessMissing(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    if (EngineError.is(error, "not-found")) return undefined;
    throw error;
  }
}
