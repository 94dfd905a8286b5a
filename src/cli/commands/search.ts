import type { ImageSearchItem } from "#api/images.ts";
import { command } from "../command.ts";
import { authHeaderFor } from "../config/auth-headers.ts";
import { domainOfTerm } from "../config/registry-key.ts";
import { parseFilters } from "../filters.ts";
import { ellipsis } from "../format/ellipsis.ts";
import { type ListFormat, renderList, type Row } from "../format/list-format.ts";

const LIST: ListFormat = {
  headers: { Name: "NAME", Description: "DESCRIPTION", StarCount: "STARS", IsOfficial: "OFFICIAL" },
  columns: ["Name", "Description", "StarCount", "IsOfficial"],
};

export const search = command({
  usage: "[OPTIONS] TERM",
  arguments: { min: 1, max: 1 },
  flags: {
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: "Filter output based on conditions provided",
    },
    format: { type: "string", help: "Pretty-print search using a Go template" },
    limit: { type: "int", help: "Max number of search results" },
    noTrunc: { type: "bool", help: "Don't truncate output" },
  },
  async run([term = ""], { filter, format, limit, noTrunc }, context) {
    const filters = parseFilters(filter);
    if (filters["is-automated"]) {
      context.error.write(
        'WARNING: the "is-automated" filter is deprecated, and searching for "is-automated=true" will not yield any results in future.\n',
      );
    }
    const auth = await authHeaderFor(context, domainOfTerm(term));
    const found = await context.client.images.search({ term, limit }, filters, auth);
    const rows = found.map((item) => searchRow(item, { isCut: !noTrunc, isJson: format === "json" }));
    context.out.write(await renderList(LIST, rows, { format, isQuiet: false }));
    return 0;
  },
});

function searchRow(item: ImageSearchItem, { isCut, isJson }: { isCut: boolean; isJson: boolean }): Row {
  const description = item.description.replaceAll(/[\r\n]/g, " ");
  const claim = isJson ? String(item.is_official) : item.is_official ? "[OK]" : "";
  return {
    Description: isCut ? ellipsis(description, 45) : description,
    IsOfficial: claim,
    Name: item.name,
    StarCount: String(item.star_count),
  };
}
