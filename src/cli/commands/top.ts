import { command } from "../command.ts";
import { alignTable } from "../format/table.ts";

/** Docker's own for this table. */
const MIN_WIDTH = 20;

export const top = command({
  usage: "CONTAINER [ps OPTIONS]",
  arguments: { min: 1 },
  flags: {},
  optionsFirst: true,
  async run([id = "", ...psOptions], _flags, context) {
    const { Titles: titles, Processes: processes } = await context.client.watch.top(id, psOptions.join(" "));
    const lines = [titles, ...processes].map((cells) => cells.join("\t"));
    context.out.write(alignTable(lines, MIN_WIDTH));
    return 0;
  },
});
