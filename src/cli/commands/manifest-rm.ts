import { command } from "../command.ts";
import { forEachArgument } from "../for-each.ts";
import { ManifestStore } from "../registry/manifest-store.ts";
import { parseImageName } from "../image-name.ts";

export const removeManifests = command({
  usage: "MANIFEST_LIST [MANIFEST_LIST...]",
  arguments: { min: 1 },
  flags: {},
  run(args, _flags, context) {
    const store = new ManifestStore(context.configFolder);
    return forEachArgument(args, context, async (name) => {
      const { full } = parseImageName(name);
      await store.getList(full);
      await store.remove(full);
      return undefined;
    });
  },
});
