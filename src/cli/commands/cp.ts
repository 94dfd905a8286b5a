import { posix } from "node:path";
import { humanSize } from "#base/sizes.ts";
import { EngineError } from "#base/errors.ts";
import { type CommandContext, command } from "../command.ts";
import { type CopyEnd, parseCopyArgument, planCopy, splitEntry } from "../copy/copy-plan.ts";
import { absolutePath, localDestination, localSource } from "../copy/local-end.ts";
import { packLocal } from "../copy/pack-local.ts";
import { unpackLocal } from "../copy/unpack-local.ts";

interface CopyFlags {
  readonly archive: boolean;
  readonly followLink: boolean;
  readonly quiet: boolean;
}

export const cp = command({
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n\tdarse cp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
  arguments: { min: 2, max: 2 },
  flags: {
    archive: { type: "bool", short: "a", help: "Archive mode (copy all uid/gid information)" },
    followLink: { type: "bool", short: "L", help: "Always follow symlinks in SRC_PATH" },
    quiet: {
      type: "bool",
      short: "q",
      help: "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
    },
  },
  async run([from = "", to = ""], { archive, followLink, quiet }, context) {
    if (from === "") throw new EngineError("invalid", "source can not be empty");
    if (to === "") throw new EngineError("invalid", "destination can not be empty");
    const flags = {
      archive,
      followLink,
      quiet: context.given.has("quiet") ? quiet : !context.out.isTerminal,
    };
    const source = parseCopyArgument(from);
    const destination = parseCopyArgument(to);
    if (source.container !== undefined && destination.container !== undefined) {
      throw new EngineError("invalid", "copying between containers is not supported");
    }
    if (source.container !== undefined) {
      await copyOut({ container: source.container, path: source.path }, destination.path, { flags, context });
    } else if (destination.container !== undefined) {
      const end = { container: destination.container, path: destination.path };
      await copyIn(source.path, end, { flags, context });
    } else throw new EngineError("invalid", "must specify at least one container source");
    return 0;
  },
});

interface ContainerEnd {
  readonly container: string;
  readonly path: string;
}

interface World {
  readonly flags: CopyFlags;
  readonly context: CommandContext;
}

async function copyOut(source: ContainerEnd, target: string, { flags, context }: World): Promise<void> {
  const { files } = context.client;
  const destination = target === "-" ? undefined : localDestination(absolutePath(target));
  const asked = flags.followLink ? await followed(source, context) : source.path;
  const { stat, content } = await files.getArchive(source.container, asked);
  if (destination === undefined) {
    for await (const chunk of content) await context.out.stream(chunk);
    return;
  }
  // Under the name it was called by, wherever the link has led.
  const called = splitEntry(source.path).base;
  const plan = planCopy({ name: called === "/" ? "." : called, isDirectory: stat.isDirectory }, destination);
  const counter = new Counter(content);
  await unpackLocal(counter, {
    directory: plan.directory,
    from: splitEntry(asked).base,
    to: plan.name,
    keepsOwner: flags.archive,
    warn: (text) => context.error.write(text),
  });
  report({ flags, context }, stat.isDirectory ? counter.bytes : stat.size, target);
}

async function copyIn(source: string, target: ContainerEnd, { flags, context }: World): Promise<void> {
  const { files } = context.client;
  const destination = await containerDestination(target, context);
  const copyUIDGID = flags.archive;
  if (source === "-") {
    if (destination.kind !== "directory") {
      const shown = `${target.container}:${target.path}`;
      throw new EngineError("invalid", `destination "${shown}" must be a directory`);
    }
    return await files.putArchive(target.container, { path: destination.path, copyUIDGID }, context.input);
  }
  const local = localSource(absolutePath(source), flags.followLink);
  const plan = planCopy(local, destination);
  const counter = new Counter(packLocal(local.path, plan.name));
  await files.putArchive(target.container, { path: plan.directory, copyUIDGID }, counter);
  report({ flags, context }, counter.bytes, `${target.container}:${destination.path}`);
}

/** What is at a path of a container, a link there followed. */
async function containerDestination(
  { container, path }: ContainerEnd,
  { client }: CommandContext,
): Promise<CopyEnd> {
  const found = await client.files.findPath(container, path);
  if (!found?.isSymlink) return { path, kind: kindOf(found) };
  const end = posix.resolve("/", posix.dirname(path), found.linkTarget);
  return { path: end, kind: kindOf(await client.files.findPath(container, end)) };
}

function kindOf(found: { readonly isDirectory: boolean } | undefined): CopyEnd["kind"] {
  if (found === undefined) return "absent";
  return found.isDirectory ? "directory" : "other";
}

async function followed({ container, path }: ContainerEnd, { client }: CommandContext): Promise<string> {
  const found = await client.files.findPath(container, path);
  return found?.isSymlink ? posix.resolve("/", posix.dirname(path), found.linkTarget) : path;
}

function report({ flags, context }: World, bytes: number, target: string): void {
  if (!flags.quiet) context.error.write(`Successfully copied ${humanSize(bytes, 3)} to ${target}\n`);
}

/** Counts what passes through it. */
class Counter implements AsyncIterable<Uint8Array> {
  readonly #source: AsyncIterable<Uint8Array>;
  bytes = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of this.#source) {
      this.bytes += chunk.length;
      yield chunk;
    }
  }
}
