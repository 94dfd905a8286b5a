import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { manifestList } from "../registry/manifest-list.ts";
import { openRegistry } from "../registry/open-registry.ts";
import { ManifestStore } from "../registry/manifest-store.ts";
import { parseImageName } from "../image-name.ts";

export const pushManifest = command({
  usage: "[OPTIONS] MANIFEST_LIST",
  arguments: { min: 1, max: 1 },
  flags: {
    insecure: { type: "bool", help: "Allow push to an insecure registry" },
    purge: { type: "bool", short: "p", help: "Remove the local manifest list after push" },
  },
  async run([listName = ""], { insecure, purge }, context) {
    const { name, full } = parseImageName(listName);
    const store = new ManifestStore(context.configFolder);
    const images = await store.getList(full);
    if (images.length === 0) throw new EngineError("not-found", `${full} not found`);
    for (const { platform, reference } of images) {
      if (platform.os !== "" && platform.architecture !== "") continue;
      throw new EngineError(
        "invalid",
        `manifest ${reference} must have an OS and Architecture to be pushed to a registry`,
      );
    }
    const list = manifestList(images, name.domain);
    const registry = await openRegistry(context, name.domain, insecure);
    for (const image of images) {
      if (parseImageName(image.reference).name.path === name.path) continue;
      await registry.adopt(image, name.path);
      const place = `${name.domain}/${name.path}@${image.digest}`;
      context.out.write(`Pushed ref ${place} with digest: ${image.digest}\n`);
    }
    context.out.write(`${await registry.put(name, list)}\n`);
    if (purge) await store.remove(full);
    return 0;
  },
});
