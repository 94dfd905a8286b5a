import type { FormattedList } from "./config/settings.ts";
import type { Context } from "./context.ts";

/** `--format`, or the one that a person has set for that list; `--quiet` leaves the latter aside. */
export function formatOf(
  list: FormattedList,
  { format, quiet = false }: { readonly format: string | undefined; readonly quiet?: boolean },
  context: Pick<Context, "settings">,
): string | undefined {
  if (format !== undefined && format !== "") return format;
  return quiet ? undefined : context.settings().formats[list];
}

/** Docker's help of `--format`, for commands that print one thing. */
export const FORMAT_HELP = `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;

/** The same for commands that print a table. */
export const TABLE_FORMAT_HELP = `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`;
