import { expect, test } from "bun:test";
import { Fields } from "#base/decode.ts";
import { decodeExecutionConfig } from "#oci/image-config.ts";
import { CONTAINER_CONFIG, type ContainerConfig } from "./container-config.ts";
import { decodeTable, encodeTable } from "./field-table.ts";
import { mergeWithImage } from "./merge.ts";

const config = (document: object): ContainerConfig => decodeTable(CONTAINER_CONFIG, new Fields(document));
const merged = (own: object, image: object): Record<string, unknown> =>
  encodeTable(CONTAINER_CONFIG, mergeWithImage(config(own), decodeExecutionConfig(new Fields(image))));

const IMAGE = { Entrypoint: ["/entry"], Cmd: ["default"] };

/** Docker's daemon/commit.go `merge` and daemon/create.go. */
const commands: [string, object, object, unknown][] = [
  ["nothing given", {}, IMAGE, [["/entry"], ["default"]]],
  ["a command given", { Cmd: ["mine"] }, IMAGE, [["/entry"], ["mine"]]],
  ["an entrypoint given", { Entrypoint: ["/mine"] }, IMAGE, [["/mine"], null]],
  ["both given", { Entrypoint: ["/mine"], Cmd: ["a"] }, IMAGE, [["/mine"], ["a"]]],
  ["an empty entrypoint", { Entrypoint: [] }, IMAGE, [[], ["default"]]],
  ["an entrypoint of one empty word", { Entrypoint: [""] }, IMAGE, [null, null]],
  ["an entrypoint of one empty word and a command", { Entrypoint: [""], Cmd: ["a"] }, IMAGE, [null, ["a"]]],
  ["an image without entrypoint", {}, { Cmd: ["sh"] }, [null, ["sh"]]],
  ["an image with nothing", { Cmd: ["sh"] }, {}, [null, ["sh"]]],
];

for (const [name, own, image, [entrypoint, cmd]] of commands as [
  string,
  object,
  object,
  [unknown, unknown],
][]) {
  test(`command of ${name}`, () => {
    const { Entrypoint, Cmd } = merged(own, image);
    expect({ Entrypoint, Cmd }).toEqual({ Entrypoint: entrypoint, Cmd: cmd });
  });
}

const fields: [string, object, object, object][] = [
  ["the image's user fills an empty one", {}, { User: "app" }, { User: "app" }],
  ["a user that is given stays", { User: "me" }, { User: "app" }, { User: "me" }],
  [
    "variables: one's own first, then those of the image that are not set",
    { Env: ["B=2", "A"] },
    { Env: ["A=1", "C=3"] },
    { Env: ["B=2", "A", "C=3"] },
  ],
  [
    "labels of the image fill keys that are not set",
    { Labels: { a: "mine" } },
    { Labels: { a: "theirs", b: "theirs" } },
    { Labels: { a: "mine", b: "theirs" } },
  ],
  [
    "exposed ports are those of both",
    { ExposedPorts: { "81/tcp": {} } },
    { ExposedPorts: { "80/tcp": {} } },
    { ExposedPorts: { "80/tcp": {}, "81/tcp": {} } },
  ],
  [
    "volumes are those of both",
    { Volumes: { "/a": {} } },
    { Volumes: { "/b": {} } },
    { Volumes: { "/a": {}, "/b": {} } },
  ],
  ["the working directory is the image's when empty", {}, { WorkingDir: "/srv" }, { WorkingDir: "/srv" }],
  ["the stop signal is the image's when empty", {}, { StopSignal: "SIGINT" }, { StopSignal: "SIGINT" }],
  [
    "a health check is merged field by field, zero being no value",
    { Healthcheck: { Interval: 5, Timeout: 0 } },
    { Healthcheck: { Test: ["CMD", "true"], Interval: 7, Timeout: 9 } },
    { Healthcheck: { Test: ["CMD", "true"], Interval: 5, Timeout: 9 } },
  ],
];

for (const [name, own, image, want] of fields) {
  test(name, () => expect(merged(own, image)).toMatchObject(want));
}

test("keys that JavaScript's objects know are only text", () => {
  const own = JSON.parse('{"Labels":{"__proto__":"x","constructor":"y"}}') as object;
  const result = mergeWithImage(config(own), {});
  expect([...result.labels]).toEqual([
    ["__proto__", "x"],
    ["constructor", "y"],
  ]);
  expect(JSON.stringify(encodeTable(CONTAINER_CONFIG, result))).toContain('"__proto__":"x"');
});
