import { EngineError } from "#base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { describeError } from "../describe-error.ts";
import { Template } from "../format/template.ts";
import { FORMAT_HELP } from "../format-flag.ts";

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
    const image = (id: string): Promise<unknown> => client.inspectImageRaw(id);
    if (type === "container") return inspectAll(args, { format, get: container }, context);
    if (type === "image") return inspectAll(args, { format, get: image }, context);
    if (type !== undefined && type !== "") {
      throw new EngineError("invalid", `"${type}" is not a valid value for --type: it is container or image`);
    }
    const get = async (id: string): Promise<unknown> => {
      const found = (await unlessMissing(container(id))) ?? (await unlessMissing(image(id)));
      if (found === undefined) throw new EngineError("not-found", `Error: No such object: ${id}`);
      return found;
    };
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
    const get = (id: string): Promise<unknown> => context.client.inspectImageRaw(id, { platform });
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
