import { shortId } from "#base/ids.ts";
import type { ContainerRecord } from "../record.ts";
import { TAG_FIELD } from "./log-options.ts";

type Described = Pick<ContainerRecord, "id" | "name" | "imageId" | "config" | "hostConfig">;

/**
 * What `logs --details` shows before each line: the labels and variables that the log options `labels` and `env` name,
 * and `tag`, as `key=value,key=value`, sorted and escaped as in a query. moby daemon/logger/loginfo.go.
 */
export function logDetails(record: Described): string {
  const { config, hostConfig } = record;
  const options = hostConfig.logConfig.config;
  const env = new Map((config.env ?? []).map((entry) => split(entry)));
  const found = new Map<string, string>();
  for (const name of names(options.get("labels"))) addFound(found, name, config.labels.get(name));
  for (const name of names(options.get("env"))) addFound(found, name, env.get(name));
  const tag = options.get("tag") ?? "";
  if (tag !== "") found.set("tag", renderTag(tag, record));
  return [...found]
    .map(([key, value]) => `${escape(key)}=${escape(value)}`)
    .toSorted()
    .join(",");
}

function addFound(found: Map<string, string>, name: string, value: string | undefined): void {
  if (value !== undefined) found.set(name, value);
}

function names(list: string | undefined): string[] {
  return (list ?? "").split(",").filter((name) => name !== "");
}

function split(entry: string): [string, string] {
  const equals = entry.indexOf("=");
  return equals < 0 ? [entry, ""] : [entry.slice(0, equals), entry.slice(equals + 1)];
}

function renderTag(tag: string, { id, name, imageId, config }: Described): string {
  const imageHex = imageId.slice(imageId.indexOf(":") + 1);
  const values = new Map([
    ["ID", shortId(id)],
    ["FullID", id],
    ["Name", name],
    ["ImageID", imageHex.slice(0, 12)],
    ["ImageFullID", imageId],
    ["ImageName", config.image ?? ""],
    ["DaemonName", "docker"],
  ]);
  return tag.replaceAll(TAG_FIELD, (_whole, field: string) => values.get(field) ?? "");
}

/** Go's `url.QueryEscape`. */
function escape(text: string): string {
  return encodeURIComponent(text)
    .replaceAll(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
