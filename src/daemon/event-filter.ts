import { EngineError } from "#base/errors.ts";
import type { StampedEvent } from "./events.ts";

const KEYS = new Set([
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
]);

/** True for the events that the `filters` of `GET /events` ask for: values of one key are alternatives, keys add up. */
export function eventFilter(
  filters: ReadonlyMap<string, readonly string[]>,
): (event: StampedEvent) => boolean {
  for (const key of filters.keys()) {
    if (!KEYS.has(key)) throw new EngineError("invalid", `invalid filter '${key}'`);
  }
  return (event) => [...filters].every(([key, values]) => values.length === 0 || matches(event, key, values));
}

function matches(event: StampedEvent, key: string, values: readonly string[]): boolean {
  switch (key) {
    case "type":
      return values.includes(event.type);
    case "event":
      return values.some((value) => event.action === value || event.action.startsWith(`${value}:`));
    case "scope":
      return values.includes("local");
    case "label":
      return values.every((value) => hasLabel(event.attributes, value));
    case "image":
      return values.some((value) => imageMatches(event, value));
    default:
      return event.type === key && values.some((value) => named(event, value));
  }
}

function named(event: StampedEvent, value: string): boolean {
  const name = event.attributes["name"];
  return (
    event.id === value || name === value || name === value.replace(/^\//, "") || event.id.startsWith(value)
  );
}

function imageMatches(event: StampedEvent, value: string): boolean {
  const image = event.type === "image" ? (event.attributes["name"] ?? event.id) : event.attributes["image"];
  const bare = (text: string | undefined): string | undefined => text?.replace(/:[^:/]+$/, "");
  return event.id === value || image === value || bare(image) === value;
}

function hasLabel(attributes: Readonly<Record<string, string>>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return Object.hasOwn(attributes, wanted);
  return attributes[wanted.slice(0, equals)] === wanted.slice(equals + 1);
}
