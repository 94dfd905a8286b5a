import { expect, test } from "bun:test";
import type { PortsReport, Reach } from "#api/ports.ts";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { ports } from "./ports.ts";

const open: Reach = { State: "open", Blockers: [] };
const blocker = { Firewall: "ufw", Rule: "ip filter INPUT: policy drop", Remedy: "ufw allow 8080/tcp" };
const report: PortsReport = {
  Containers: [
    {
      Id: "a".repeat(64),
      Name: "web",
      Networks: [{ Name: "front", Addresses: ["172.18.0.2", "fd00::2"] }],
      Ports: [
        {
          PrivatePort: 80,
          Type: "tcp",
          IP: "0.0.0.0",
          PublicPort: 8080,
          CarriedBy: "kernel",
          Loopback: open,
          Outside: { State: "blocked", Blockers: [blocker] },
          Containers: open,
        },
        {
          PrivatePort: 53,
          Type: "udp",
          IP: "::1",
          PublicPort: 53,
          CarriedBy: "proxy",
          Loopback: open,
          Outside: { State: "not-published", Blockers: [] },
          Containers: { State: "unclear", Blockers: [] },
        },
      ],
    },
    { Id: "b".repeat(64), Name: "db", Networks: [{ Name: "none", Addresses: [] }], Ports: [] },
  ],
  Unseen: ["the rules of iptables could not be read"],
};

test("ports says who reaches what, and what stands in the way", async () => {
  await using engine = await FakeEngine.open({ "GET /darse/ports": () => ({ json: report }) });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(ports, [], world)).toBe(0);
  expect(
    world.out.text,
  ).toBe(`CONTAINER   PORT      PUBLISHED AT   THIS HOST   OTHER HOSTS   CONTAINERS   CARRIED BY
web         80/tcp    0.0.0.0:8080   open        blocked       open         kernel
web         53/udp    [::1]:53       open        -             unclear      proxy

0.0.0.0:8080 (web) is blocked for other hosts:
  ufw: ip filter INPUT: policy drop
  let it pass: ufw allow 8080/tcp

Every port, from this host and from containers of the same network:
CONTAINER   NETWORK   ADDRESSES
web         front     172.18.0.2, fd00::2
`);
  expect(world.error.text).toBe("WARNING: the rules of iptables could not be read\n");
});

test("ports of one container, by a template", async () => {
  await using engine = await FakeEngine.open({ "GET /darse/ports": () => ({ json: report }) });
  const world = fakeWorld(engine.client);
  await runInWorld(ports, ["--format", "{{.ID}} {{.Port}} {{.Outside}}", "aaaa"], world);
  expect(world.out.text).toBe("aaaaaaaaaaaa 80/tcp blocked\naaaaaaaaaaaa 53/udp -\n");
  expect(runInWorld(ports, ["none"], world)).rejects.toThrow("No such running container: none");
});
