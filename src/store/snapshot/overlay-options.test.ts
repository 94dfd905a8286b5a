import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { failureOf } from "../_fixtures.ts";
import { overlayOptions } from "./overlay-options.ts";

test("layers come uppermost first, then the writable one, then what is fixed", () => {
  expect(overlayOptions({ lower: ["b/diff", "a/diff"], writable: { upper: "c/diff", work: "c/work" } })).toBe(
    "lowerdir=b/diff:a/diff,upperdir=c/diff,workdir=c/work,index=off,redirect_dir=off,metacopy=off",
  );
});

test("500 layers with short names fit one page", () => {
  expect(overlayOptions({ lower: Array.from({ length: 500 }, () => "a/diff") }).length).toBeLessThan(4096);
});

const refused: [string, string[], RegExp][] = [
  [
    "more layers than the kernel takes",
    Array.from({ length: 501 }, () => "a"),
    /^Cannot mount 501 layers: the kernel stacks at most 500$/,
  ],
  [
    "names longer than a page",
    Array.from({ length: 400 }, () => "zzzzzz/diff"),
    /^Cannot mount 400 layers: their names take \d+ bytes, mount takes 4095$/,
  ],
];
for (const [what, lower, message] of refused) {
  test(`${what} are refused clearly`, async () => {
    const error = await failureOf(() => overlayOptions({ lower }));
    expect(EngineError.is(error, "unsupported")).toBe(true);
    expect(error.message).toMatch(message);
  });
}
