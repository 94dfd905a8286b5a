import { command } from "../command.ts";
import { containerFlags } from "../container-flags.ts";
import { containerRequest } from "../container-request.ts";
import { createContainer } from "../create-container.ts";
import { sortFlags } from "../flags.ts";
import { readTextFile } from "../user-files.ts";
import { platformOf } from "../specs/platform.ts";

export const create = command({
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  arguments: { min: 1 },
  optionsFirst: true,
  isVerboseInFailure: true,
  flags: sortFlags(containerFlags),
  async run([image = "", ...words], flags, context) {
    const attached = new Set(flags.attach.length > 0 ? flags.attach : ["stdout", "stderr"]);
    if (flags.interactive) attached.add("stdin");
    const request = containerRequest({
      image,
      command: words,
      flags,
      given: context.given,
      attached,
      env: context.env,
      defaults: context.settings().proxyVariables,
      workingDirectory: process.cwd(),
      read: readTextFile,
    });
    const id = await createContainer(context, {
      request,
      image,
      name: flags.name,
      platform: platformOf(flags.platform, context),
      pull: flags.pull ?? "missing",
      isQuiet: flags.quiet,
      cidFile: flags.cidfile,
    });
    context.out.write(`${id}\n`);
    return 0;
  },
});
