import { expect, test } from "bun:test";
import { newContainerId } from "#base/ids.ts";
import { RootHolds } from "./root-holds.ts";

const id = newContainerId();

test("a root is needed while the container runs or somebody holds it", () => {
  const roots = new RootHolds();
  roots.beginRun(id);
  const hold = roots.hold(id);
  expect(roots.endRun(id)).toBe(false);
  hold.release();
  expect(roots.isHeld(id)).toBe(false);
  expect(roots.endRun(id)).toBe(true);
});

test("revoking tells every holder, and a late release changes nothing", () => {
  const roots = new RootHolds();
  const [first, second] = [roots.hold(id), roots.hold(id)];
  roots.revoke(id);
  expect([first.signal.aborted, second.signal.aborted, roots.isHeld(id)]).toEqual([true, true, false]);
  const later = roots.hold(id);
  first.release();
  expect([later.signal.aborted, roots.isHeld(id)]).toEqual([false, true]);
});
