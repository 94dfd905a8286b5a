import { expect, test } from "bun:test";
import { asContainerId } from "#base/ids.ts";
import { digestOf } from "#oci/digest.ts";
import { createRequest } from "./_fixtures/requests.ts";
import { PLAIN_ENDPOINT } from "./host-config.ts";
import { selectContainers, selectForPrune } from "./list-filters.ts";
import type { ContainerRecord } from "./record.ts";
import { plainMount } from "./mount-point.ts";
import type { State } from "./state.ts";

const exited: State = { status: "exited", exitCode: 3, oomKilled: false, startedAt: 1, finishedAt: 2 };
const running: State = { status: "running", pid: 1, startedAt: 1 };

function record(
  name: string,
  number: number,
  state: State,
  config: Record<string, unknown> = {},
): ContainerRecord {
  const { config: decoded, hostConfig, endpoints } = createRequest(config, { NetworkMode: "bridge" });
  return {
    id: asContainerId(String(number).repeat(64)),
    name,
    createdAt: number * 1000,
    imageId: digestOf("image"),
    manifestDigest: digestOf("image"),
    parent: undefined,
    platform: "linux",
    config: decoded,
    hostConfig,
    endpoints: new Map([["bridge", endpoints.get("bridge") ?? PLAIN_ENDPOINT]]),
    mounts: [{ ...plainMount("volume", "/data"), name: `${name}-data` }],
    network: {
      namespacePath: undefined,
      endpoints: [],
      ports: number === 3 ? [{ containerPort: 80, protocol: "tcp", hostIp: "", hostPort: 8080 }] : [],
    },
    state,
    restartCount: 0,
    wasStoppedByHand: false,
  };
}

/** Newest first, as the registry has them. */
const RECORDS = [
  record("web-3", 3, running, { Labels: { tier: "front", color: "red" }, ExposedPorts: { "80/tcp": {} } }),
  record("web-2", 2, exited, { Labels: { tier: "front" } }),
  record("db-1", 1, { status: "created" }, { Labels: { tier: "back" } }),
];

const facts = {
  find: (reference: string) => RECORDS.find(({ name }) => name === reference),
  descendsFrom: ({ name }: ContainerRecord, image: string) => image === "base" && name.startsWith("web"),
};

const select = (filters: Record<string, string[]>, all = true, limit = 0): string[] =>
  selectContainers(RECORDS, { all, limit, filters: new Map(Object.entries(filters)) }, facts).map(
    ({ name }) => name,
  );

const table: [Record<string, string[]>, string[]][] = [
  [{}, ["web-3", "web-2", "db-1"]],
  [{ name: ["web"] }, ["web-3", "web-2"]],
  [{ name: ["^web-2$"] }, ["web-2"]],
  [{ name: ["^/db"] }, ["db-1"]],
  [{ name: ["web-3", "db"] }, ["web-3", "db-1"]],
  [{ name: ["("] }, []],
  [{ id: ["222"] }, ["web-2"]],
  [{ label: ["tier=front"] }, ["web-3", "web-2"]],
  [{ label: ["tier=front", "color"] }, ["web-3"]],
  [{ status: ["exited", "created"] }, ["web-2", "db-1"]],
  [{ exited: ["3"] }, ["web-2"]],
  [{ volume: ["db-1-data"] }, ["db-1"]],
  [{ volume: ["/data"] }, ["web-3", "web-2", "db-1"]],
  [{ network: ["bridge"] }, ["web-3", "web-2", "db-1"]],
  [{ network: ["other"] }, []],
  [{ publish: ["8000-9000"] }, ["web-3"]],
  [{ expose: ["80"] }, ["web-3"]],
  [{ ancestor: ["base"] }, ["web-3", "web-2"]],
  [{ before: ["web-3"] }, ["web-2", "db-1"]],
  [{ since: ["db-1"] }, ["web-3", "web-2"]],
  [{ health: ["none"] }, ["web-3", "web-2", "db-1"]],
  [{ "is-task": ["true"] }, []],
  [{ name: ["web"], status: ["running"] }, ["web-3"]],
];
for (const [filters, want] of table) {
  test(`${JSON.stringify(filters)} selects ${want.join(", ") || "nothing"}`, () =>
    expect(select(filters)).toEqual(want));
}

test("without all only what runs is shown, unless a filter or a limit asks for more", () => {
  expect(select({}, false)).toEqual(["web-3"]);
  expect(select({ status: ["exited"] }, false)).toEqual(["web-2"]);
  expect(select({}, false, 2)).toEqual(["web-3", "web-2"]);
  expect(select({ since: ["db-1"] }, false)).toEqual(["web-3", "web-2"]);
});

const refused: [Record<string, string[]>, string][] = [
  [{ nope: ["x"] }, "invalid filter 'nope'"],
  [{ status: ["asleep"] }, "invalid filter 'status=asleep'"],
  [{ exited: ["x"] }, "invalid filter 'exited=x'"],
  [{ health: ["x"] }, "invalid filter 'health=x'"],
  [{ before: ["nope"] }, "No such container: nope"],
  [{ publish: ["x"] }, 'invalid port specification: "x"'],
  [{ constructor: ["x"] }, "invalid filter 'constructor'"],
];
for (const [filters, message] of refused) {
  test(`refuses ${JSON.stringify(filters)}`, () => expect(() => select(filters)).toThrow(message));
}

test("a pattern that could take for ever is looked for as text", () => {
  expect(select({ name: ["(a+)+$", "(([a-z])+.)+[A-Z]"] })).toEqual([]);
});

const prunes: [Record<string, string[]>, string[]][] = [
  [{}, ["web-2", "db-1"]],
  [{ label: ["tier=back"] }, ["db-1"]],
  [{ "label!": ["tier=back"] }, ["web-2"]],
  [{ until: ["1"] }, ["db-1"]],
  [{ until: ["1970-01-01T00:00:01Z"] }, ["db-1"]],
  [{ until: ["9s"] }, ["db-1"]],
  [{ until: ["0s"] }, ["web-2", "db-1"]],
];
for (const [filters, want] of prunes) {
  test(`prune with ${JSON.stringify(filters)} takes ${want.join(", ")}`, () => {
    const taken = selectForPrune(RECORDS, new Map(Object.entries(filters)), 10_000);
    expect(taken.map(({ name }) => name)).toEqual(want);
  });
}

for (const until of [["yesterday"], ["1", "2"], [""]]) {
  test(`refuses to prune until ${JSON.stringify(until)}`, () => {
    expect(() => selectForPrune(RECORDS, new Map([["until", until]]), 0)).toThrow(/time|until/);
  });
}
