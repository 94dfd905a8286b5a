import { command } from "../command.ts";

const LETTERS = ["C", "A", "D"];

export const diff = command({
  usage: "CONTAINER",
  arguments: { min: 1, max: 1 },
  flags: {},
  async run([id = ""], _flags, context) {
    const changes = await context.client.files.changes(id);
    for (const { Kind, Path } of changes) context.out.write(`${LETTERS[Kind] ?? "?"} ${Path}\n`);
    return 0;
  },
});
