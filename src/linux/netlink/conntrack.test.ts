import { expect, test } from "bun:test";
import { needs } from "../../../test/needs.ts";
import { flowQueryBody, forgetDatagramFlows } from "./conntrack.ts";

test("body of the query for flows to UDP port 5353", () => {
  const expected = `02 00 00 00
    1800 0180 1400 0280 0500 0100 11000000 0600 0300 14e9 0000
    0c00 1980 0800 0100 28000000`;
  expect(Buffer.from(flowQueryBody(5353)).toString("hex")).toBe(expected.replaceAll(/\s/g, ""));
});

needs("root")("a port that nobody sends to has no flows", () => {
  expect(forgetDatagramFlows({ port: 1, addresses: new Set(["127.0.0.1"]) })).toBe(0);
});
