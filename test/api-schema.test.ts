import { expect, test } from "bun:test";
import { responseFaults } from "./api-schema.ts";

test("an answer as described has no fault", () => {
  expect(responseFaults("POST", "/containers/create", 201, { Id: "abc", Warnings: [] })).toEqual([]);
});

test("a missing field, a wrong type and an unknown field are faults", () => {
  expect(responseFaults("POST", "/containers/create", 201, { Id: 1, Extra: true })).toHaveLength(3);
});
