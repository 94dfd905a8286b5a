import type { ImageSummary } from "#api/images.ts";
import { EngineError } from "#base/errors.ts";
import { shortId } from "#base/ids.ts";
import { humanSize } from "#base/sizes.ts";
import { findEntry } from "../catalog.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { goTime, humanDuration } from "../format/human-time.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { formatOf, TABLE_FORMAT_HELP } from "../format-flag.ts";
import type { Output } from "../output.ts";

export const images = command({
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  arguments: { min: 0, max: 1 },
  flags: {
    all: {
      type: "bool",
      short: "a",
      help: "Show all images (default hides intermediate and dangling images)",
    },
    digests: { type: "bool", help: "Show digests" },
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: "Filter output based on conditions provided",
    },
    format: { type: "string", help: TABLE_FORMAT_HELP },
    noTrunc: { type: "bool", help: "Don't truncate output" },
    quiet: { type: "bool", short: "q", help: "Only show image IDs" },
    tree: { type: "bool", help: "List multi-platform images as a tree (EXPERIMENTAL)" },
  },
  async run([name], flags, context) {
    if (flags.tree) checkTree(flags);
    const reference = name === undefined ? [] : [`reference=${name}`];
    const filters = parseFilters([...flags.filter, ...reference]);
    const query = { all: flags.all, digests: flags.digests, manifests: flags.tree };
    const listed = await context.client.images.list(query, filters);
    const hasDangling = flags.all || (filters["dangling"] ?? ["false"]).some((value) => !isOff(value));
    const found = listed.filter((image) => hasDangling || tagsOf(image).length > 0);
    if (flags.tree) {
      const { imageTree } = await import("../format/image-tree.ts");
      const width = context.out.isTerminal ? context.out.columns() : undefined;
      context.out.write(imageTree(found, width));
      return 0;
    }
    const options = { isCut: !flags.noTrunc, nowMs: context.now() };
    const rows = found.flatMap((image) => imageRows(image, options));
    const format = formatOf("images", flags, context);
    context.out.write(await renderList(imageList(flags.digests), rows, { format, isQuiet: flags.quiet }));
    if (rows.length === 0 && name !== undefined && context.path === "images") hint(name, context.error);
    return 0;
  },
});

/** @throws {EngineError} invalid for what a tree has no place for, in Docker's words */
function checkTree(flags: {
  readonly quiet: boolean;
  readonly noTrunc: boolean;
  readonly digests: boolean;
  readonly format: string | undefined;
}): void {
  const others: readonly (readonly [string, boolean])[] = [
    ["--quiet", flags.quiet],
    ["--no-trunc", flags.noTrunc],
    ["--show-digest", flags.digests],
    ["--format", flags.format !== undefined && flags.format !== ""],
  ];
  const given = others.find(([, isGiven]) => isGiven);
  if (given) throw new EngineError("invalid", `${given[0]} is not yet supported with --tree`);
}

function isOff(value: string): boolean {
  return value === "false" || value === "0";
}

/** `images ls` looks for an image called "ls"; most often the list itself was meant. */
function hint(name: string, output: Output): void {
  if (!findEntry(`image ${name}`)) return;
  output.write(`No images found matching "${name}": did you mean "darse image ${name}"?\n`);
}

/** The table of images. */
export function imageList(hasDigests: boolean): ListFormat {
  return {
    headers: {
      ID: "IMAGE ID",
      Repository: "REPOSITORY",
      Tag: "TAG",
      Digest: "DIGEST",
      CreatedSince: "CREATED",
      CreatedAt: "CREATED AT",
      Size: "SIZE",
      Containers: "CONTAINERS",
      SharedSize: "SHARED SIZE",
      UniqueSize: "UNIQUE SIZE",
    },
    columns: ["Repository", "Tag", ...(hasDigests ? ["Digest"] : []), "ID", "CreatedSince", "Size"],
  };
}

interface RowOptions {
  readonly isCut: boolean;
  readonly nowMs: number;
}

interface Name {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

const NONE = "<none>";

/** Older engines write what has no tag as `<none>:<none>`, or as nothing. */
function tagsOf({ RepoTags }: ImageSummary): string[] {
  return (RepoTags ?? []).filter((reference) => reference !== `${NONE}:${NONE}`);
}

/** One row for each tag (and, where digests are shown, for each digest without a tag) of an image. */
export function imageRows(image: ImageSummary, options: RowOptions): Row[] {
  const digests = new Map<string, string>();
  for (const reference of image.RepoDigests ?? []) {
    const [repository = "", digest = ""] = reference.split("@");
    if (repository !== NONE) digests.set(repository, digest);
  }
  const names: Name[] = tagsOf(image).map((reference) => {
    const colon = reference.lastIndexOf(":");
    const repository = reference.slice(0, colon);
    return { repository, tag: reference.slice(colon + 1), digest: digests.get(repository) ?? NONE };
  });
  const tagged = new Set(names.map(({ repository }) => repository));
  for (const [repository, digest] of digests) {
    if (!tagged.has(repository)) names.push({ repository, tag: NONE, digest });
  }
  if (names.length === 0) names.push({ repository: NONE, tag: NONE, digest: NONE });
  return names.map((name) => imageRow(image, name, options));
}

function imageRow(image: ImageSummary, name: Name, { isCut, nowMs }: RowOptions): Row {
  return {
    Containers: image.Containers < 0 ? "N/A" : String(image.Containers),
    get CreatedAt() {
      return goTime(image.Created * 1000);
    },
    CreatedSince: image.Created <= 0 ? "N/A" : `${humanDuration(nowMs - image.Created * 1000)} ago`,
    Digest: name.digest,
    ID: isCut ? shortId(image.Id) : image.Id,
    Repository: name.repository,
    SharedSize: image.SharedSize < 0 ? "N/A" : humanSize(image.SharedSize),
    Size: humanSize(image.Size, 3),
    Tag: name.tag,
    UniqueSize: image.SharedSize < 0 ? "N/A" : humanSize(image.Size - image.SharedSize),
  };
}
