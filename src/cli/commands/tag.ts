import { familiarName, parseReference } from "#oci/reference.ts";
import { command } from "../command.ts";

export const tag = command({
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  arguments: { min: 2, max: 2 },
  flags: {},
  async run([source = "", target = ""], _flags, context) {
    const name = parseReference(target);
    await context.client.images.tag(source, { repo: familiarName(name), tag: name.tag ?? "latest" });
    return 0;
  },
});
