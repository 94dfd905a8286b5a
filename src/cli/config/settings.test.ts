import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { create } from "../commands/create.ts";
import { pruneNetworks } from "../commands/network-prune.ts";
import { listVolumes } from "../commands/volume-ls.ts";
import { NO_SETTINGS, readSettings, type Settings } from "./settings.ts";

function read(text: string | undefined): { readonly settings: Settings; readonly warnings: string } {
  const folder = mkdtempSync(join(tmpdir(), "darse-settings-"));
  try {
    if (text !== undefined) writeFileSync(join(folder, "config.json"), text);
    let warnings = "";
    const warn = (warning: string): void => void (warnings += warning.replace(folder, ""));
    return { settings: readSettings(folder, { host: "unix:///here", warn }), warnings };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a missing or empty file sets nothing", () => {
  expect(read(undefined)).toEqual({ settings: NO_SETTINGS, warnings: "" });
  expect(read("")).toEqual({ settings: NO_SETTINGS, warnings: "" });
});

test("a file that does not read is told of, and sets nothing", () => {
  const { settings, warnings } = read('{"detachKeys": 3}');
  expect(settings).toEqual(NO_SETTINGS);
  expect(warnings).toBe("WARNING: Cannot read detachKeys: it must be a string, found a number\n");
  expect(read("{").warnings).toStartWith("WARNING: Cannot read config file /config.json: ");
});

test("proxies are those of the engine, or those of all", () => {
  const proxies = { default: { httpProxy: "http://all" }, "unix:///here": { noProxy: "local" } };
  expect(read(JSON.stringify({ proxies })).settings.proxyVariables).toEqual([
    ["NO_PROXY", "local"],
    ["no_proxy", "local"],
  ]);
  const others = JSON.stringify({ proxies: { default: proxies.default } });
  expect(read(others).settings.proxyVariables).toEqual([
    ["HTTP_PROXY", "http://all"],
    ["http_proxy", "http://all"],
  ]);
});

test("a list has the format that is set for it, but for --quiet and another --format", async () => {
  await using engine = await FakeEngine.open({
    "GET /volumes": () => ({ json: { Volumes: [{ Name: "v", Driver: "local", Scope: "local" }] } }),
  });
  const settings = { formats: { volumes: "{{.Driver}}:{{.Name}}" } };
  const world = fakeWorld(engine.client, "", { settings });
  for (const argv of [[], ["-q"], ["--format", "{{.Scope}}"]]) await runInWorld(listVolumes, argv, world);
  expect(world.out.text).toBe("local:v\nv\nlocal\n");
});

test("create gives the variables that --env does not name", async () => {
  await using engine = await FakeEngine.open({
    "POST /containers/create": () => ({ status: 201, json: { Id: "1", Warnings: [] } }),
  });
  const settings: Partial<Settings> = {
    proxyVariables: [
      ["HTTP_PROXY", "http://p"],
      ["http_proxy", "http://p"],
    ],
  };
  const world = fakeWorld(engine.client, "", { settings });
  await runInWorld(create, ["-e", "HTTP_PROXY=mine", "busybox"], world);
  expect(JSON.parse(String(engine.seen[0]?.body))).toMatchObject({
    Env: ["HTTP_PROXY=mine", "http_proxy=http://p"],
  });
});

test("a prune is filtered by what is set, unless the opposite is asked", async () => {
  await using engine = await FakeEngine.open({
    "POST /networks/prune": () => ({ json: { NetworksDeleted: null } }),
  });
  const settings = { pruneFilters: ["label!=keep", "label=a", "nonsense"] };
  const world = fakeWorld(engine.client, "", { settings });
  await runInWorld(pruneNetworks, ["-f", "--filter", "label=keep"], world);
  expect(engine.seen[0]?.query.get("filters")).toBe('{"label":["keep","a"]}');
});
