import type { Context } from "../context.ts";
import type { ManifestRegistry } from "./manifest-registry.ts";

/** The registry of `domain`. The client of registries is large: it is loaded when one is spoken to. */
export async function openRegistry(
  context: Context,
  domain: string,
  isInsecure: boolean,
): Promise<ManifestRegistry> {
  const { ManifestRegistry: Registry } = await import("./manifest-registry.ts");
  return await Registry.open(context, domain, isInsecure);
}
