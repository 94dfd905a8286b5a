import { EngineError } from "#base/errors.ts";
import { familiarName } from "#oci/reference.ts";
import { command } from "../command.ts";
import { authHeaderFor } from "../config/auth-headers.ts";
import { parseImageName } from "../image-name.ts";
import { note } from "../note.ts";
import { silentOutput } from "../output.ts";
import { showProgress } from "../progress-view.ts";
import { PushNotes } from "../push-notes.ts";
import { platformJson } from "../specs/platform.ts";

export const push = command({
  usage: "[OPTIONS] NAME[:TAG]",
  arguments: { min: 1, max: 1 },
  flags: {
    allTags: { type: "bool", short: "a", help: "Push all tags of an image to the repository" },
    disableContentTrust: { type: "bool", default: true, help: "Skip image signing" },
    platform: {
      type: "string",
      help: `Push a platform-specific manifest as a single-platform image to the registry.
Image index won't be pushed, meaning that other manifests, including attestations won't be preserved.
'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)`,
    },
    quiet: { type: "bool", short: "q", help: "Suppress verbose output" },
  },
  async run([text = ""], { allTags, platform, quiet }, context) {
    const { name, full, isBare } = parseImageName(text);
    if (name.digest !== undefined) throw new EngineError("invalid", "cannot push a digest reference");
    if (allTags && !isBare) throw new EngineError("invalid", "tag can't be used with --all-tags/-a");
    if (platform !== undefined) note(context.out, SINGLE_PLATFORM);
    if (!allTags && isBare && !quiet) context.out.write("Using default tag: latest\n");
    const query = {
      tag: allTags ? undefined : name.tag,
      platform: platform && platformJson(platform),
    };
    const auth = await authHeaderFor(context, name.domain);
    const messages = context.client.images.push(familiarName(name), query, auth);
    const notes = new PushNotes();
    try {
      await showProgress(messages, quiet ? silentOutput : context.out, { onAux: (aux) => notes.take(aux) });
    } finally {
      for (const line of notes.lines) note(context.out, line);
    }
    if (quiet) context.out.write(`${allTags ? `${name.domain}/${name.path}` : full}\n`);
    return 0;
  },
});

const SINGLE_PLATFORM = `Using --platform pushes only the specified platform manifest of a multi-platform image index.
Other components, like attestations, will not be included.
To push the complete multi-platform image, remove the --platform flag.
`;
