import { expect, test } from "bun:test";
import { portAliasRequests } from "./port-alias.ts";

test("a port's alias is one table, one chain, and two rules a protocol", () => {
  const requests = portAliasRequests({ table: "t", address: "127.0.0.11", port: 53, udp: 4001, tcp: 4002 });
  expect(requests.map(({ type }) => type & 0xff)).toEqual([0, 3, 6, 6, 6, 6]);
  const [, , toUdp, fromUdp] = requests.map(({ payload }) => Buffer.from(payload).toString("hex"));
  const [well, real] = ["06000100" + "0035", "06000100" + "0fa1"];
  expect(toUdp?.indexOf(well)).toBeLessThan(toUdp?.indexOf(real) ?? 0);
  expect(fromUdp?.indexOf(real)).toBeLessThan(fromUdp?.indexOf(well) ?? 0);
});
