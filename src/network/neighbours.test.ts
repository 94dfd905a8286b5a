import { expect } from "bun:test";
import { needs } from "../../test/needs.ts";
import { Laboratory } from "./_laboratory.ts";
import type { Sandbox } from "./sandbox.ts";

const withKernel = needs("root", "nft");

interface Street {
  readonly victim: Sandbox;
  readonly attacker: Sandbox;
  readonly asker: Sandbox;
}

/** Three containers of one network; what the attacker answers is told from what the victim answers by the port. */
async function street(laboratory: Laboratory): Promise<Street> {
  await laboratory.manager.create({ name: "street", hasIpv6: true });
  const live = (id: string): Promise<Sandbox> => laboratory.attach(id, { networks: [{ network: "street" }] });
  return { victim: await live("victim"), attacker: await live("attacker"), asker: await live("asker") };
}

const path = ({ namespacePath = "" }: Sandbox): string => namespacePath;

for (const family of ["ipv4", "ipv6"] as const) {
  withKernel(
    `a container that claims a neighbour's ${family} address is not heard, not even when that one is silent`,
    async () => {
      await using laboratory = new Laboratory();
      const { victim, attacker, asker } = await street(laboratory);
      const address = victim.endpoints[0]?.[family] ?? "";
      using thief = laboratory.inside(path(attacker));
      using house = laboratory.inside(path(victim));
      const port = thief.getLink("eth0");
      thief.addAddress(port, {
        address,
        prefixLength: family === "ipv4" ? 24 : 64,
        skipsDuplicateCheck: true,
      });
      house.setLink(house.getLink("eth0"), { isUp: false });
      await laboratory.serve(path(attacker), "tcp", 80, "::");
      expect(["silence", "EHOSTUNREACH"]).toContain(await laboratory.ask(path(asker), "tcp", address, 80));
    },
  );
}

withKernel("an address that nobody was given may be claimed, as floating addresses are", async () => {
  await using laboratory = new Laboratory();
  const { attacker, asker } = await street(laboratory);
  const floating = (attacker.endpoints[0]?.ipv4 ?? "").replace(/\d+$/, "200");
  using inside = laboratory.inside(path(attacker));
  inside.addAddress(inside.getLink("eth0"), { address: floating, prefixLength: 24 });
  await laboratory.serve(path(attacker), "tcp", 80);
  expect(await laboratory.ask(path(asker), "tcp", floating, 80)).toBe(asker.endpoints[0]?.ipv4 ?? "");
});

withKernel("frames under a neighbour's MAC address do not lead its traffic away", async () => {
  await using laboratory = new Laboratory();
  const { victim, attacker, asker } = await street(laboratory);
  await laboratory.serve(path(victim), "tcp", 80);
  await laboratory.serve(path(asker), "tcp", 80);
  // From now on the asker knows the MAC address, and asks for it no more.
  await laboratory.ask(path(asker), "tcp", victim.endpoints[0]?.ipv4 ?? "", 80);
  using thief = laboratory.inside(path(attacker));
  const link = thief.getLink("eth0");
  thief.setLink(link, { isUp: false });
  thief.setLink(link, { mac: victim.endpoints[0]?.mac ?? "" });
  thief.setLink(link, { isUp: true });
  await laboratory.ask(path(attacker), "tcp", asker.endpoints[0]?.ipv4 ?? "", 80);
  const answer = await laboratory.ask(path(asker), "tcp", victim.endpoints[0]?.ipv4 ?? "", 80);
  expect(answer).toBe(asker.endpoints[0]?.ipv4 ?? "");
});

withKernel("a container's gateway can not be claimed by a neighbour", async () => {
  await using laboratory = new Laboratory();
  const { attacker, asker } = await street(laboratory);
  const gateway = asker.endpoints[0]?.gateway ?? "";
  using thief = laboratory.inside(path(attacker));
  thief.addAddress(thief.getLink("eth0"), { address: gateway, prefixLength: 24 });
  await laboratory.serve(path(attacker), "tcp", 80);
  expect(await laboratory.ask(path(asker), "tcp", gateway, 80)).toBe("ECONNREFUSED");
});

withKernel("no interface of a network with IPv6 believes routers", async () => {
  await using laboratory = new Laboratory();
  const { victim } = await street(laboratory);
  laboratory.kernel.inNetworkNamespace(path(victim), () => {
    expect(laboratory.kernel.readSysctl("net.ipv6.conf.eth0.accept_ra")).toBe("0");
  });
});
