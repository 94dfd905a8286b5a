import type { EventMessage } from "#api/events.ts";
import { command } from "../command.ts";
import { parseFilters } from "../filters.ts";
import { Template } from "../format/template.ts";
import { FORMAT_HELP } from "../format-flag.ts";
import { parseTimestamp } from "#base/timestamp.ts";

export const events = command({
  usage: "[OPTIONS]",
  arguments: { min: 0, max: 0 },
  flags: {
    filter: {
      type: "list",
      short: "f",
      metavar: "filter",
      help: "Filter output based on conditions provided",
    },
    format: { type: "string", help: FORMAT_HELP },
    since: { type: "string", help: "Show all events created since timestamp" },
    until: { type: "string", help: "Stream events until this timestamp" },
  },
  async run(_args, { filter, format, since, until }, context) {
    const print = printer(format);
    const time = (text: string | undefined): string | undefined =>
      text === undefined ? undefined : parseTimestamp(text, context.now());
    const query = { since: time(since), until: time(until) };
    for await (const event of context.client.system.events(query, parseFilters(filter))) {
      context.out.write(`${print(event)}\n`);
    }
    return 0;
  },
});

function printer(format: string | undefined): (event: EventMessage) => string {
  if (format === undefined || format === "") return eventLine;
  const template = new Template(format === "json" ? "{{json .}}" : format);
  return (event) => template.render(event);
}

/** `2026-01-02T15:04:05.000000000Z container start <id> (image=x, name=y)` */
export function eventLine(event: EventMessage): string {
  const attributes = Object.entries(event.Actor.Attributes)
    .map(([key, value]) => `${key}=${value}`)
    .toSorted();
  const time = new Date(event.timeNano / 1e6).toISOString().slice(0, 19);
  // A number holds `timeNano` to a quarter of a microsecond, so that microseconds are right.
  const microseconds = String(Math.round(event.timeNano / 1e3) % 1e6).padStart(6, "0");
  const actor = event.Actor.ID === "" ? "" : ` ${event.Actor.ID}`;
  const details = attributes.length === 0 ? "" : ` (${attributes.join(", ")})`;
  return `${time}.${microseconds}000Z ${event.Type} ${event.Action}${actor}${details}`;
}
