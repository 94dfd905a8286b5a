import { EngineError } from "#base/errors.ts";
import { parseTimestamp } from "#base/timestamp.ts";
import { parsePortSpec } from "./port-spec.ts";
import type { ContainerRecord } from "./record.ts";
import { exitCodeOf, type Status } from "./state.ts";

/** By key, the values of which one must hold. */
export type Filters = ReadonlyMap<string, readonly string[]>;

export interface ListOptions {
  /** Also those that do not run. */
  readonly all: boolean;
  readonly limit?: number;
  readonly filters: Filters;
}

/** Every container, whatever its state. */
export const EVERY: ListOptions = { all: true, filters: new Map() };

/** Questions that a filter asks of the world. */
export interface FilterFacts {
  /** @throws {EngineError} not-found for a container of that name */
  find(reference: string): ContainerRecord | undefined;
  /** Whether the container was made from that image or one built upon it. */
  descendsFrom(record: ContainerRecord, image: string): boolean;
}

const STATUSES: readonly Status[] = [
  "created",
  "running",
  "paused",
  "restarting",
  "removing",
  "exited",
  "dead",
];

type Test = (record: ContainerRecord, value: string) => boolean;

/**
 * Which containers a list shows; `records` are newest first. Behaviour of Docker's daemon/list.go.
 *
 * @throws {EngineError} invalid for an unknown filter or value; not-found for `before` and `since`
 */
export function selectContainers(
  records: readonly ContainerRecord[],
  { all, limit = 0, filters }: ListOptions,
  facts: FilterFacts,
): ContainerRecord[] {
  checkFilters(filters);
  const window = timeWindow(filters, facts);
  const showsAll =
    all ||
    limit > 0 ||
    ["status", "before", "since", "exited"].some((key) => filters.has(key)) ||
    window.isSet;
  const tests = [...filters].filter(([key]) => key !== "before" && key !== "since");
  const selected = records.filter((record) => {
    if (!showsAll && !["running", "paused", "restarting"].includes(record.state.status)) return false;
    if (!window.holds(record)) return false;
    return tests.every(([key, values]) => matches(record, { key, values }, facts));
  });
  return limit > 0 ? selected.slice(0, limit) : selected;
}

/** The filters of prune: `until` (any form of `parseTimestamp`), `label`, `label!`. @throws {EngineError} invalid */
export function selectForPrune(
  records: readonly ContainerRecord[],
  filters: Filters,
  nowMs: number,
): ContainerRecord[] {
  const unknown = [...filters.keys()].find((key) => !["until", "label", "label!"].includes(key));
  if (unknown !== undefined) throw new EngineError("invalid", `invalid filter '${unknown}'`);
  const until = filters.get("until") ?? [];
  if (until.length > 1) throw new EngineError("invalid", "more than one until filter specified");
  const [untilMs] = until.map((text) => Number(parseTimestamp(text, nowMs)) * 1000);
  return records.filter(({ state, createdAt, config: { labels } }) => {
    if (!["created", "exited", "dead"].includes(state.status)) return false;
    if (untilMs !== undefined && createdAt > untilMs) return false;
    return (
      (filters.get("label") ?? []).every((label) => hasLabel(labels, label)) &&
      !(filters.get("label!") ?? []).some((label) => hasLabel(labels, label))
    );
  });
}

/** `key` or `key=value`. */
export function hasLabel(labels: ReadonlyMap<string, string>, wanted: string): boolean {
  const equals = wanted.indexOf("=");
  if (equals < 0) return labels.has(wanted);
  return labels.get(wanted.slice(0, equals)) === wanted.slice(equals + 1);
}

function checkFilters(filters: Filters): void {
  const unknown = [...filters.keys()].find((key) => !Object.hasOwn(TESTS, key) && !OTHERS.includes(key));
  if (unknown !== undefined) throw new EngineError("invalid", `invalid filter '${unknown}'`);
  for (const status of filters.get("status") ?? []) {
    if (!STATUSES.some((one) => one === status)) {
      throw new EngineError("invalid", `invalid filter 'status=${status}'`);
    }
  }
  for (const code of filters.get("exited") ?? []) {
    if (!/^-?\d+$/.test(code)) throw new EngineError("invalid", `invalid filter 'exited=${code}'`);
  }
  for (const health of filters.get("health") ?? []) {
    if (!["starting", "healthy", "unhealthy", "none"].includes(health)) {
      throw new EngineError("invalid", `invalid filter 'health=${health}'`);
    }
  }
}

/** Filters that are not a test of one value. */
const OTHERS = ["label", "ancestor", "before", "since", "is-task", "isolation"];

const TESTS: Readonly<Record<string, Test>> = {
  id: ({ id }, value) => textMatches(id, value),
  name: ({ name }, value) => textMatches(name, value) || textMatches(`/${name}`, value),
  status: ({ state }, value) => state.status === value,
  exited: ({ state }, value) => state.status === "exited" && exitCodeOf(state) === Number(value),
  health: ({ health }, value) => value === (health?.status ?? "none"),
  volume: ({ mounts }, value) =>
    mounts.some(({ name, source, destination }) => [name, source, destination].includes(value)),
  network: ({ endpoints, network }, value) => {
    const asked = [...endpoints].flatMap(([name, { networkId }]) => [networkId, name]);
    const attached = network.endpoints.flatMap(({ networkId, networkName }) => [networkId, networkName]);
    return [...asked, ...attached].some(
      (one) => one !== undefined && (one === value || (value.length >= 12 && one.startsWith(value))),
    );
  },
  publish: ({ network }, value) => {
    const { first, last, protocol } = parsePortSpec(value);
    return network.ports.some(
      (port) => port.protocol === protocol && (port.hostPort ?? 0) >= first && (port.hostPort ?? 0) <= last,
    );
  },
  expose: ({ config }, value) => {
    const wanted = parsePortSpec(value);
    return config.exposedPorts
      .map(parsePortSpec)
      .some(
        ({ first, last, protocol }) =>
          protocol === wanted.protocol && first <= wanted.last && last >= wanted.first,
      );
  },
};

function matches(
  record: ContainerRecord,
  { key, values }: { readonly key: string; readonly values: readonly string[] },
  facts: FilterFacts,
): boolean {
  if (values.length === 0) return true;
  switch (key) {
    case "label":
      return values.every((label) => hasLabel(record.config.labels, label));
    case "ancestor":
      return values.some((image) => facts.descendsFrom(record, image));
    case "is-task":
      return values.some((value) => ["0", "false"].includes(value));
    case "isolation":
      return values.includes(record.hostConfig.isolation ?? "default");
    default:
      return values.some((value) => TESTS[key]?.(record, value) ?? false);
  }
}

/** A regular expression as the API has it; what is none, or could take for ever, is looked for as text. */
export function textMatches(text: string, pattern: string): boolean {
  if (!isHarmless(pattern)) return text.includes(pattern);
  try {
    return new RegExp(pattern).test(text);
  } catch {
    return text.includes(pattern);
  }
}

/** No group is repeated and there is little in all, so that no text takes long. */
function isHarmless(pattern: string): boolean {
  return pattern.length <= 256 && !/\)[*+?{]/.test(pattern) && (pattern.match(/[*+{]/g) ?? []).length <= 3;
}

function timeWindow(
  filters: Filters,
  facts: FilterFacts,
): { readonly isSet: boolean; holds(record: ContainerRecord): boolean } {
  const bound = (key: string): number | undefined => {
    const [reference] = filters.get(key) ?? [];
    if (reference === undefined) return undefined;
    const record = facts.find(reference);
    if (record === undefined) throw new EngineError("not-found", `No such container: ${reference}`);
    return record.createdAt;
  };
  const before = bound("before");
  const since = bound("since");
  return {
    isSet: before !== undefined || since !== undefined,
    holds: ({ createdAt }) =>
      (before === undefined || createdAt < before) && (since === undefined || createdAt > since),
  };
}
