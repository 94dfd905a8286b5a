import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "bun:test";
import {
  keyOf,
  readEndpoints,
  renderCompatibility,
  routesOfEngine,
  staleReasons,
} from "../scripts/compatibility.ts";
import { needs } from "./needs.ts";

const PAGE = join(import.meta.dir, "../docs/compatibility.md");

const rooted = needs("root", "crun", "conmon");

rooted(
  "docs/compatibility.md is what the code says (else: bun scripts/compatibility.ts > docs/compatibility.md)",
  async () => {
    expect(readFileSync(PAGE, "utf8")).toBe(renderCompatibility(readEndpoints(), await routesOfEngine()));
  },
);

rooted("no reason stands for an endpoint that is there", async () => {
  expect(staleReasons(readEndpoints(), await routesOfEngine())).toEqual([]);
});

rooted("no endpoint has two routes", async () => {
  const keys = (await routesOfEngine()).map(keyOf);
  expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
});

rooted("no route is one that the API does not know", async () => {
  const known = new Set(readEndpoints().map(keyOf));
  expect((await routesOfEngine()).map(keyOf).filter((key) => !known.has(key))).toEqual([]);
});
