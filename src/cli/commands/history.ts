import type { ImageHistoryItem } from "#api/images.ts";
import { rfc3339 } from "#base/clock.ts";
import { shortId } from "#base/ids.ts";
import { humanSize } from "#base/sizes.ts";
import { command } from "../command.ts";
import { ellipsis } from "../format/ellipsis.ts";
import { humanDuration } from "../format/human-time.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";
import { TABLE_FORMAT_HELP } from "../format-flag.ts";
import { platformJson } from "../specs/platform.ts";

const LIST: ListFormat = {
  headers: {
    ID: "IMAGE",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    CreatedBy: "CREATED BY",
    Size: "SIZE",
    Comment: "COMMENT",
  },
  columns: ["ID", "CreatedSince", "CreatedBy", "Size", "Comment"],
};

export const history = command({
  usage: "[OPTIONS] IMAGE",
  arguments: { min: 1, max: 1 },
  flags: {
    format: { type: "string", help: TABLE_FORMAT_HELP },
    human: {
      type: "bool",
      short: "H",
      default: true,
      help: "Print sizes and dates in human readable format",
    },
    noTrunc: { type: "bool", help: "Don't truncate output" },
    platform: {
      type: "string",
      help: 'Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    },
    quiet: { type: "bool", short: "q", help: "Only show image IDs" },
  },
  async run([name = ""], flags, context) {
    const items = await context.client.images.history(name, {
      platform: flags.platform && platformJson(flags.platform),
    });
    const options = { isCut: !flags.noTrunc, isHuman: flags.human, nowMs: context.now() };
    const rows = items.map((item) => historyRow(item, options));
    context.out.write(await renderList(LIST, rows, { format: flags.format, isQuiet: flags.quiet }));
    return 0;
  },
});

function historyRow(
  item: ImageHistoryItem,
  { isCut, isHuman, nowMs }: { isCut: boolean; isHuman: boolean; nowMs: number },
): Row {
  const createdBy = item.CreatedBy.replaceAll("\t", " ");
  const createdAt = rfc3339(item.Created * 1000).replace(".000Z", "Z");
  return {
    Comment: item.Comment,
    CreatedAt: createdAt,
    CreatedBy: isCut ? ellipsis(createdBy, 45) : createdBy,
    CreatedSince: isHuman ? `${humanDuration(nowMs - item.Created * 1000)} ago` : createdAt,
    ID: isCut ? shortId(item.Id) : item.Id,
    Size: isHuman ? humanSize(item.Size, 3) : String(item.Size),
  };
}
