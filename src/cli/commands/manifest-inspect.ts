import { EngineError } from "#base/errors.ts";
import { command } from "../command.ts";
import { encodeLocal, type LocalManifest } from "../registry/local-manifest.ts";
import { manifestList } from "../registry/manifest-list.ts";
import { openRegistry } from "../registry/open-registry.ts";
import { ManifestStore } from "../registry/manifest-store.ts";
import { parseImageName } from "../image-name.ts";

export const inspectManifest = command({
  usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
  arguments: { min: 1, max: 2 },
  flags: {
    insecure: { type: "bool", help: "Allow communication with an insecure registry" },
    verbose: {
      type: "bool",
      short: "v",
      help: "Output additional info including layers and platform",
    },
  },
  async run(args, { insecure, verbose }, context) {
    const [listName, imageName] = args.length === 2 ? args : [undefined, args[0]];
    const image = parseImageName(imageName ?? "");
    const store = new ManifestStore(context.configFolder);
    if (listName !== undefined) {
      const manifest = await store.find(parseImageName(listName).full, image.full);
      if (!manifest) throw new EngineError("not-found", `No such manifest: ${image.full}`);
      context.out.write(imageText(manifest, verbose));
      return 0;
    }
    const local = await store.findList(image.full);
    const registry = local ? undefined : await openRegistry(context, image.name.domain, insecure);
    const found = await registry?.get(image);
    const text =
      found?.kind === "image"
        ? imageText(found.manifest, verbose)
        : listText(found?.manifests ?? local ?? [], { domain: image.name.domain, isVerbose: verbose });
    context.out.write(text);
    return 0;
  },
});

/** The manifest itself, or all that is known of it. */
function imageText(manifest: LocalManifest, isVerbose: boolean): string {
  const document: unknown = isVerbose
    ? encodeLocal(manifest)
    : JSON.parse(Buffer.from(manifest.raw).toString());
  return `${JSON.stringify(document, null, "\t")}\n`;
}

/** The list as a push would make it, or all that is known of its images. */
function listText(
  manifests: readonly LocalManifest[],
  { domain, isVerbose }: { readonly domain: string; readonly isVerbose: boolean },
): string {
  if (isVerbose) return `${JSON.stringify(manifests.map(encodeLocal), null, "\t")}\n`;
  return `${Buffer.from(manifestList(manifests, domain).bytes).toString()}\n`;
}
