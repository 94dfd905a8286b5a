import { EngineError } from "#base/errors.ts";
import { canonicalReference, parseReference } from "#oci/reference.ts";
import { command } from "../command.ts";
import { pullImage } from "../pull-image.ts";

export const pull = command({
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  arguments: { min: 1, max: 1 },
  flags: {
    allTags: { type: "bool", short: "a", help: "Download all tagged images in the repository" },
    disableContentTrust: { type: "bool", default: true, help: "Skip image verification" },
    platform: { type: "string", help: "Set platform if server is multi-platform capable" },
    quiet: { type: "bool", short: "q", help: "Suppress verbose output" },
  },
  async run([name = ""], { allTags, platform, quiet }, context) {
    const canonical = canonicalReference(name);
    if (allTags && /:[^/]+$|@/.test(name)) {
      throw new EngineError("invalid", "tag can't be used with --all-tags/-a");
    }
    const { tag, digest } = parseReference(name);
    if (tag === undefined && digest === undefined && !allTags && !quiet) {
      context.out.write("Using default tag: latest\n");
    }
    await pullImage(context, { name, platform, allTags, output: quiet ? undefined : context.out });
    context.out.write(`${canonical}\n`);
    return 0;
  },
});
