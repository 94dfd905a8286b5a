import { expect, test } from "bun:test";
import type { Image, ImageUser } from "./image.ts";
import { openImages } from "./_fixtures/open-images.ts";
import { dockerArchive, sampleImage, tarOf } from "./_fixtures/archives.ts";
import { NO_SIGNAL, stream } from "./_fixtures/streams.ts";
import { canonicalReference } from "#oci/reference.ts";
import { planRemoval } from "./remove.ts";

await using store = await openImages();
await store.images.load(
  stream(await tarOf(dockerArchive(await sampleImage([{ a: "b" }]), null))),
  { progress: () => undefined },
  NO_SIGNAL,
);
const [base] = await store.images.list();
if (!base) throw new Error("no image was loaded");
const id = base.id;
const short = id.slice(7, 19);

const named = (...names: string[]): Image => ({ ...base, references: names.map(canonicalReference) });
const container = "c".repeat(64);
const running: ImageUser[] = [{ containerId: container, isRunning: true }];
const stopped: ImageUser[] = [{ containerId: container, isRunning: false }];
const nobody: ImageUser[] = [];

interface Row {
  readonly give: string;
  readonly names: readonly string[];
  readonly users: readonly ImageUser[];
  readonly force?: boolean;
  readonly plan: string;
}

const rows: readonly Row[] = [
  { give: "a", names: ["a"], users: nobody, plan: "delete a:latest" },
  { give: "a", names: ["a", "a:2"], users: nobody, plan: "untag a:latest" },
  { give: "a:2", names: ["a", "a:2", "b"], users: running, plan: "untag a:2" },
  {
    give: "a",
    names: ["a"],
    users: stopped,
    plan: `conflict: unable to delete a:latest (must be forced) - container cccccccccccc is using its referenced image ${short}`,
  },
  {
    give: "a",
    names: ["a"],
    users: running,
    plan: `conflict: unable to delete a:latest (must be forced) - container cccccccccccc is using its referenced image ${short}`,
  },
  { give: "a", names: ["a"], users: stopped, force: true, plan: "leave-dangling a:latest" },
  { give: "a", names: ["a"], users: running, force: true, plan: "leave-dangling a:latest" },
  { give: id, names: ["a"], users: nobody, plan: "delete a:latest" },
  { give: id, names: [], users: nobody, plan: "delete " },
  { give: short, names: ["a", "a:2"], users: nobody, plan: "delete a:latest,a:2" },
  {
    give: short,
    names: ["a", "b"],
    users: nobody,
    plan: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  },
  { give: short, names: ["a", "b"], users: nobody, force: true, plan: "delete a:latest,b:latest" },
  {
    give: short,
    names: ["a"],
    users: stopped,
    plan: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
  },
  { give: short, names: ["a"], users: stopped, force: true, plan: "delete a:latest" },
  {
    give: short,
    names: ["a"],
    users: running,
    force: true,
    plan: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
  },
  { give: `a@${id}`, names: ["a", "a:2", "b"], users: nobody, plan: "untag a:latest,a:2" },
  { give: `a@${id}`, names: ["a"], users: nobody, plan: "delete a:latest" },
];
for (const { give, names, users, force = false, plan } of rows) {
  const state = users === nobody ? "unused" : users === running ? "running" : "stopped";
  test(`rmi${force ? " --force" : ""} ${give === id ? "ID" : give.replace(id, "ID").replace(short, "SHORT")} of [${names.join(" ")}], ${state}: ${plan.replaceAll(short, "SHORT")}`, () => {
    const work = (): string => {
      const planned = planRemoval(give, named(...names), { users, force });
      const gone = planned.references.map((reference) => reference.replace("docker.io/library/", ""));
      return `${planned.kind} ${gone.join(",")}`;
    };
    if (plan.startsWith("conflict")) expect(work).toThrow(plan);
    else expect(work()).toBe(plan);
  });
}
