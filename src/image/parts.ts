import type { Clock } from "#base/clock.ts";
import type { Emit } from "#base/event.ts";
import type { Catalog } from "./catalog.ts";
import type { Image } from "./image.ts";
import type { Content, Records } from "./stores.ts";
import type { Unpacker } from "./unpack.ts";

/** What the operations on images work with. */
export interface ImageParts {
  readonly content: Content;
  readonly records: Records;
  readonly catalog: Catalog;
  readonly unpacker: Unpacker;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Removes from disk what nothing names any more. Never fails: what is left over, the next time takes. */
  readonly tidy: () => Promise<void>;
}

/** Tells that something happened to an image; its labels go with it, as Docker has it. [moby daemon/containerd/image_events.go] */
export function emitImageEvent(
  emit: Emit,
  action: string,
  event: { readonly image: Pick<Image, "id" | "config">; readonly name: string; readonly id?: string },
): void {
  const labels = Object.fromEntries(event.image.config.config.labels ?? []);
  emit({
    type: "image",
    action,
    id: event.id ?? event.image.id,
    attributes: { ...labels, name: event.name },
  });
}
