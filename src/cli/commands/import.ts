import { familiarName, parseReference } from "#oci/reference.ts";
import { command } from "../command.ts";
import { showProgress } from "../progress-view.ts";
import { readFileChunks } from "../user-files.ts";
import { platformOf } from "../specs/platform.ts";

export const importImage = command({
  usage: "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
  arguments: { min: 1, max: 2 },
  flags: {
    change: { type: "list", short: "c", help: "Apply Dockerfile instruction to the created image" },
    message: { type: "string", short: "m", help: "Set commit message for imported image" },
    platform: { type: "string", help: "Set platform if server is multi-platform capable" },
  },
  async run([source = "", name], { change, message, platform }, context) {
    const isUrl = /^https?:\/\//.test(source);
    const reference = name === undefined ? undefined : parseReference(name);
    const query = {
      fromSrc: isUrl ? source : "-",
      repo: reference && familiarName(reference),
      tag: reference && (reference.tag ?? "latest"),
      message,
      changes: change,
      platform: platformOf(platform, context),
    };
    const local = source === "-" ? context.input : readFileChunks(source);
    await showProgress(context.client.images.import(query, isUrl ? undefined : local), context.out);
    return 0;
  },
});
