import { EngineError } from "#base/errors.ts";
import { familiarName, parseReference } from "#oci/reference.ts";
import { command } from "../command.ts";

export const commit = command({
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  arguments: { min: 1, max: 2 },
  flags: {
    author: {
      type: "string",
      short: "a",
      help: 'Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")',
    },
    change: { type: "list", short: "c", help: "Apply Dockerfile instruction to the created image" },
    message: { type: "string", short: "m", help: "Commit message" },
    pause: { type: "bool", short: "p", default: true, help: "Pause container during commit" },
    noPause: { type: "bool", help: "Disable pausing container during commit" },
  },
  async run([container = "", name], { author, change, message, pause, noPause }, context) {
    const reference = name === undefined ? undefined : parseReference(name);
    if (reference?.digest !== undefined) {
      throw new EngineError("invalid", "refusing to create a tag with a digest reference");
    }
    const { Id } = await context.client.files.commit({
      container,
      repo: reference && familiarName(reference),
      tag: reference && (reference.tag ?? "latest"),
      comment: message,
      author,
      pause: pause && !noPause,
      changes: change,
    });
    context.out.write(`${Id}\n`);
    return 0;
  },
});
