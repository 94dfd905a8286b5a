import { expect, test } from "bun:test";
import type { Connection, Dial } from "#api/dial.ts";
import { parseHost } from "#api/host.ts";
import { headStart } from "./head-start.ts";

const HOST = parseHost("unix:///run/somewhere.sock");
const OTHER = parseHost("unix:///run/elsewhere.sock");

/** A dial that notes whom it called; the calls numbered in `refused` fail. */
function counting(refused: readonly number[] = []): { dial: Dial; called: string[] } {
  const called: string[] = [];
  const dial: Dial = (host) => {
    const number = called.push(host.kind === "unix" ? host.path : host.address);
    if (refused.includes(number)) return Promise.reject(new Error(`refused call ${number}`));
    // Only told apart, never used.
    return Promise.resolve({ number } as unknown as Connection);
  };
  return { dial, called };
}

test("the first connection is begun at once and given to the first who asks, once", async () => {
  const { dial, called } = counting();
  const ahead = headStart(dial, HOST);
  expect(called).toEqual(["/run/somewhere.sock"]);
  expect(await ahead(parseHost("unix:///run/somewhere.sock"))).toMatchObject({ number: 1 });
  expect(await ahead(HOST)).toMatchObject({ number: 2 });
});

test("one that failed is tried again, and the second failure is told", async () => {
  const { dial } = counting([1]);
  expect(await headStart(dial, HOST)(HOST)).toMatchObject({ number: 2 });
  const failing = counting([1, 2]);
  await expect(headStart(failing.dial, HOST)(HOST)).rejects.toThrow("refused call 2");
});

test("another engine gets a connection of its own", async () => {
  const { dial, called } = counting();
  await headStart(dial, HOST)(OTHER);
  expect(called).toEqual(["/run/somewhere.sock", "/run/elsewhere.sock"]);
});
