import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { parseImageName } from "../image-name.ts";
import { pullImage } from "../pull-image.ts";
import { platformOf } from "../specs/platform.ts";

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
    const { name: parsed, full, isBare } = parseImageName(name);
    if (allTags && !isBare) throw new EngineError("invalid", "tag can't be used with --all-tags/-a");
    if (isBare && !allTags && !quiet) context.out.write("Using default tag: latest\n");
    await pullImage(context, {
      name,
      platform: platformOf(platform, context),
      allTags,
      output: quiet ? undefined : context.out,
    });
    context.out.write(`${allTags ? `${parsed.domain}/${parsed.path}` : full}\n`);
    return 0;
  },
});
