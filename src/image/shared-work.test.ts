import { expect, test } from "bun:test";
import { SharedWork } from "./shared-work.ts";

const NO_SIGNAL = new AbortController().signal;

test("work asked for twice at once is done once, and anew once it is done", async () => {
  const shared = new SharedWork<number>();
  let count = 0;
  const work = async (): Promise<number> => ++count;
  expect(await Promise.all([shared.run("a", work, NO_SIGNAL), shared.run("a", work, NO_SIGNAL)])).toEqual([
    1, 1,
  ]);
  expect(await shared.run("a", work, NO_SIGNAL)).toBe(2);
});

test("other keys are other work", async () => {
  const shared = new SharedWork<string>();
  const results = ["a", "b"].map((key) => shared.run(key, async () => key, NO_SIGNAL));
  expect(await Promise.all(results)).toEqual(["a", "b"]);
});

test("a failure reaches all who wait", async () => {
  const shared = new SharedWork<never>();
  const work = (): Promise<never> => Promise.reject(new Error("broken"));
  const results = await Promise.allSettled([
    shared.run("a", work, NO_SIGNAL),
    shared.run("a", work, NO_SIGNAL),
  ]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});

test("one who leaves does not stop the work; the last one does, and waits for it to clean up", async () => {
  const shared = new SharedWork<never>();
  const [first, last] = [new AbortController(), new AbortController()];
  const steps: string[] = [];
  const work = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => {
        steps.push("stopped");
        setImmediate(() => {
          steps.push("cleaned up");
          reject(signal.reason);
        });
      });
    });
  const one = shared.run("a", work, first.signal);
  const other = shared.run("a", work, last.signal);
  first.abort(new Error("first left"));
  await expect(one).rejects.toThrow("first left");
  expect(steps).toEqual([]);
  last.abort(new Error("last left"));
  await expect(other).rejects.toThrow("last left");
  expect(steps).toEqual(["stopped", "cleaned up"]);
});

test("who comes while stopped work cleans up waits, and starts anew", async () => {
  const shared = new SharedWork<string>();
  const stop = new AbortController();
  const cleanedUp = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  const slow = async (signal: AbortSignal): Promise<string> => {
    signal.addEventListener("abort", () => stopped.resolve());
    await cleanedUp.promise;
    throw signal.reason;
  };
  const left = shared.run("a", slow, stop.signal);
  stop.abort(new Error("left"));
  await stopped.promise;
  const fresh = shared.run("a", async () => "fresh", NO_SIGNAL);
  cleanedUp.resolve();
  await expect(left).rejects.toThrow("left");
  expect(await fresh).toBe("fresh");
});

test("a signal that has fired starts nothing", async () => {
  const shared = new SharedWork<string>();
  let hasRun = false;
  const work = async (): Promise<string> => {
    hasRun = true;
    return "";
  };
  await expect(shared.run("a", work, AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
  expect(hasRun).toBe(false);
});
