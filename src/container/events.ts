import type { EngineEvent } from "#base/event.ts";
import type { ContainerRecord } from "./record.ts";

/** An event of a container: all its labels, its image and its name are attributes (Docker's daemon/events.go). */
export function containerEvent(
  { id, name, config }: Pick<ContainerRecord, "id" | "name" | "config">,
  action: string,
  attributes: Readonly<Record<string, string>> = {},
): EngineEvent {
  return {
    type: "container",
    action,
    id,
    attributes: Object.fromEntries([
      ...config.labels,
      ...Object.entries(attributes),
      ["image", config.image ?? ""],
      ["name", name],
    ]),
  };
}
