import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { GROUPS } from "../src/cli/catalog.ts";
import { keyOf, readEndpoints, renderPage, routesOfEngine, staleReasons } from "../scripts/compatibility.ts";
import { ownCommands, readCommands, staleCommandReasons } from "../scripts/compatibility-commands.ts";
import { needs } from "./needs.ts";

const PAGE = join(import.meta.dir, "../docs/compatibility.md");

const rooted = needs("root", "crun", "conmon");

rooted(
  "docs/compatibility.md is what the code says (else: bun scripts/compatibility.ts > docs/compatibility.md)",
  async () => {
    expect(readFileSync(PAGE, "utf8")).toBe(await renderPage());
  },
);

rooted("no reason stands for an endpoint that is there", async () => {
  expect(staleReasons(readEndpoints(), await routesOfEngine())).toEqual([]);
});

rooted("no endpoint has two routes", async () => {
  const keys = (await routesOfEngine()).map(keyOf);
  expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
});

/** Endpoints that Docker has not. */
const BEYOND_DOCKER = /^[A-Z]+ (\/darse\/|\/volumes\/\{\}\/(export|import|clone|rename)$)/;

rooted("no route is one that neither the API nor we know", async () => {
  const known = new Set(readEndpoints().map(keyOf));
  const unknown = (await routesOfEngine()).map(keyOf).filter((key) => !known.has(key));
  expect(unknown.filter((key) => !BEYOND_DOCKER.test(key))).toEqual([]);
});

test("no reason stands for a command or flag that is there", async () => {
  expect(staleCommandReasons(readCommands(), await ownCommands())).toEqual([]);
});

test("what a command is called in help is what it is called by", async () => {
  const own = await ownCommands();
  const groups = new Set(GROUPS.map(({ name }) => name));
  const orphans = [...own.keys()].filter(
    (path) => path.includes(" ") && !groups.has(path.split(" ")[0] ?? ""),
  );
  expect(orphans).toEqual([]);
});
