import { EngineError } from "#base/errors.ts";
import { Glob } from "#base/glob.ts";
import { createdAtMs } from "#image/catalog.ts";
import { isUnnamed } from "#image/identity.ts";
import type { Image } from "#image/image.ts";
import type { PruneOptions } from "#image/prune.ts";
import { familiarName, familiarReference, parseReference, type Reference } from "#oci/reference.ts";

type Filters = ReadonlyMap<string, readonly string[]>;

const LIST_KEYS = ["before", "dangling", "label", "label!", "reference", "since", "until"];
const PRUNE_KEYS = ["dangling", "label", "label!", "until"];

/** An image in a list, with those of its names that the filters let through. */
export interface ListedImage {
  readonly image: Image;
  readonly references: readonly Reference[];
}

/**
 * The images that `docker images --filter …` shows, in the order given.
 *
 * @throws {EngineError} invalid for an unknown key or value; not-found for the image of `before` or `since`
 */
export function filterImages(
  images: readonly Image[],
  filters: Filters,
  { resolve, now }: { readonly resolve: (name: string) => Image; readonly now: number },
): ListedImage[] {
  checkKeys(filters, LIST_KEYS);
  const created = (key: string): number | undefined => {
    const [name] = filters.get(key) ?? [];
    return name === undefined ? undefined : createdAtMs(resolve(name));
  };
  const [before, since, until] = [created("before"), created("since"), untilMs(filters, now)];
  const dangling = flag(filters, "dangling");
  const hasLabels = labelFilter(filters);
  const patterns = (filters.get("reference") ?? []).map((pattern) => new Glob(pattern, { globstar: false }));
  return images
    .filter(
      (image) =>
        (before === undefined || createdAtMs(image) < before) &&
        (since === undefined || createdAtMs(image) > since) &&
        (until === undefined || createdAtMs(image) < until) &&
        (dangling === undefined || isUnnamed(image) === dangling) &&
        hasLabels(image.config.config.labels ?? new Map()),
    )
    .map((image) => ({ image, references: image.references.filter((name) => matchesAny(name, patterns)) }))
    .filter(({ references }) => patterns.length === 0 || references.length > 0);
}

/** What `docker image prune --filter …` takes. @throws {EngineError} invalid for an unknown key or value */
export function pruneOptions(filters: Filters, now: number): PruneOptions {
  checkKeys(filters, PRUNE_KEYS);
  return {
    danglingOnly: flag(filters, "dangling") ?? true,
    createdBefore: untilMs(filters, now),
    hasLabels: labelFilter(filters),
  };
}

/** A pattern matches a name with its tag or without. [distribution/reference FamiliarMatch] */
function matchesAny(reference: Reference, patterns: readonly Glob[]): boolean {
  const name = parseReference(reference);
  return (
    patterns.length === 0 ||
    patterns.some((glob) => glob.matches(familiarReference(name)) || glob.matches(familiarName(name)))
  );
}

function checkKeys(filters: Filters, known: readonly string[]): void {
  for (const key of filters.keys()) {
    if (!known.includes(key)) throw new EngineError("invalid", `invalid filter '${key}'`);
  }
}

function flag(filters: Filters, key: string): boolean | undefined {
  const [value] = filters.get(key) ?? [];
  if (value === undefined) return undefined;
  if (["1", "true"].includes(value)) return true;
  if (["0", "false"].includes(value)) return false;
  throw new EngineError("invalid", `invalid filter '${key}=[${value}]'`);
}

/** All of `label` must be there, none of `label!`; `key` or `key=value`. */
function labelFilter(filters: Filters): (labels: ReadonlyMap<string, string>) => boolean {
  const has = (labels: ReadonlyMap<string, string>, wanted: string): boolean => {
    const equals = wanted.indexOf("=");
    if (equals < 0) return labels.has(wanted);
    return labels.get(wanted.slice(0, equals)) === wanted.slice(equals + 1);
  };
  return (labels) =>
    (filters.get("label") ?? []).every((wanted) => has(labels, wanted)) &&
    !(filters.get("label!") ?? []).some((unwanted) => has(labels, unwanted));
}

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
  ["us", 0.001],
  ["µs", 0.001],
  ["ns", 0.000_001],
]);

/** A Unix time, a date, or a Go duration back from now. */
function untilMs(filters: Filters, now: number): number | undefined {
  const values = filters.get("until") ?? [];
  const [text] = values;
  if (text === undefined) return undefined;
  if (values.length > 1) throw new EngineError("invalid", "more than one until filter specified");
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text) * 1000;
  if (/^(\d+(\.\d+)?(h|ms|m|us|µs|ns|s))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|µs|ns|s)/g)];
    return (
      now - parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_MS.get(unit ?? "") ?? 0), 0)
    );
  }
  const date = Date.parse(text);
  if (Number.isNaN(date)) throw new EngineError("invalid", `invalid filter 'until=[${text}]'`);
  return date;
}
