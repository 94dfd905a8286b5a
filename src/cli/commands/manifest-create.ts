import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { openRegistry } from "../registry/open-registry.ts";
import { ManifestStore } from "../registry/manifest-store.ts";
import { parseImageName } from "../image-name.ts";

export const createManifest = command({
  usage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
  arguments: { min: 2 },
  flags: {
    amend: { type: "bool", short: "a", help: "Amend an existing manifest list" },
    insecure: { type: "bool", help: "Allow communication with an insecure registry" },
  },
  async run([listName = "", ...names], { amend, insecure }, context) {
    const list = parseImageName(listName);
    const images = names.map(parseImageName);
    const store = new ManifestStore(context.configFolder);
    if (!amend && (await store.findList(list.full))) {
      throw new EngineError("conflict", "refusing to amend an existing manifest list with no --amend flag");
    }
    // All are fetched before the first is kept: a list is made whole or not at all.
    const found = [];
    for (const image of images) {
      const known = await store.find(list.full, image.full);
      const registry = known ? undefined : await openRegistry(context, image.name.domain, insecure);
      const manifest = known ?? (await registry?.getImage(image));
      if (manifest) found.push({ image, manifest });
    }
    for (const { image, manifest } of found) await store.save(list.full, image.full, manifest);
    context.out.write(`Created manifest list ${list.full}\n`);
    return 0;
  },
});
