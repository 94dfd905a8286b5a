import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { listPlatform } from "../registry/local-manifest.ts";
import { isKnownPlatform } from "../registry/manifest-list.ts";
import { ManifestStore } from "../registry/manifest-store.ts";
import { parseImageName } from "../image-name.ts";

export const annotateManifest = command({
  usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
  arguments: { min: 2, max: 2 },
  flags: {
    arch: { type: "string", help: "Set architecture" },
    os: { type: "string", help: "Set operating system" },
    osFeatures: { type: "strings", help: "Set operating system feature" },
    osVersion: { type: "string", help: "Set operating system version" },
    variant: { type: "string", help: "Set architecture variant" },
  },
  async run([listName = "", imageName = ""], { arch, os, osFeatures, osVersion, variant }, context) {
    const list = parseImageName(listName);
    const image = parseImageName(imageName);
    const store = new ManifestStore(context.configFolder);
    const manifest = await store.find(list.full, image.full);
    if (!manifest) {
      throw new EngineError("not-found", `manifest for image ${imageName} does not exist in ${listName}`);
    }
    const before = manifest.platform;
    const platform = listPlatform({
      architecture: arch || before.architecture,
      os: os || before.os,
      version: osVersion || before["os.version"],
      features: [...new Set([...(before["os.features"] ?? []), ...osFeatures])],
      variant: variant || before.variant,
    });
    if (!isKnownPlatform(platform)) {
      throw new EngineError(
        "invalid",
        `manifest entry for image has unsupported os/arch combination: ${platform.os}/${platform.architecture}`,
      );
    }
    await store.save(list.full, image.full, { ...manifest, platform });
    return 0;
  },
});
