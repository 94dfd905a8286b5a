import { expect, test } from "bun:test";
import { reservePort } from "#linux/port-reservation.ts";
import { holdPorts } from "./port-publisher.ts";
import type { PortBinding, PortRequest, PublishContext } from "./port-publisher.ts";

const IPV4 = "127.0.0.1";
const nobody = (): undefined => undefined;
const context: PublishContext = { ipv4: IPV4, subject: "endpoint web (e1)", holderOf: nobody };

/** The bindings of what was asked for, which is held no longer. */
async function hold(request: PortRequest, changes: Partial<PublishContext> = {}): Promise<PortBinding[]> {
  await using held = await holdPorts([request], { ...context, ...changes });
  return [...held.bindings];
}

/** A port that is free in both families, and the one after it. */
function freePorts(): { readonly first: number; readonly second: number } {
  for (;;) {
    using found = reservePort({ protocol: "tcp", address: "0.0.0.0", port: 0 });
    try {
      const second = { protocol: "tcp" as const, address: "0.0.0.0", port: found.port + 1 };
      reservePort(second)[Symbol.dispose]();
      return { first: found.port, second: found.port + 1 };
    } catch {
      continue;
    }
  }
}

test("without an address a port is published in both families, on one number", async () => {
  for (const protocol of ["tcp", "udp"] as const) {
    const [ipv4, ipv6, ...more] = await hold({ containerPort: 80, protocol });
    expect(more).toEqual([]);
    expect(ipv4).toMatchObject({ hostIp: "0.0.0.0", protocol });
    expect(ipv6).toMatchObject({ hostIp: "::", hostPort: ipv4?.hostPort });
  }
});

test("a container with IPv6 alone is published on IPv6 alone", async () => {
  const { ipv4: _, ...rest } = context;
  await using held = await holdPorts([{ containerPort: 80, protocol: "tcp" }], { ...rest, ipv6: "::1" });
  expect(held.bindings.map(({ hostIp }) => hostIp)).toEqual(["::"]);
  const asked = { containerPort: 80, protocol: "tcp" as const, hostIp: "127.0.0.1" };
  await expect(holdPorts([asked], { ...rest, ipv6: "::1" })).rejects.toMatchObject({
    kind: "invalid",
    message: "Cannot publish port 80/tcp on 127.0.0.1: the container has no IPv4",
  });
});

test("the first free port of a range is taken", async () => {
  const { first, second } = freePorts();
  using _taken = reservePort({ protocol: "tcp", address: "0.0.0.0", port: first });
  const request = { containerPort: 80, protocol: "tcp" as const, hostPort: first, hostPortEnd: second };
  const [binding] = await hold(request);
  expect(binding?.hostPort).toBe(second);
});

test("a port that another program has is refused in Docker's words, and the program named", async () => {
  using taken = reservePort({ protocol: "tcp", address: "0.0.0.0", port: 0 });
  const request = { containerPort: 80, protocol: "tcp" as const, hostIp: IPV4, hostPort: taken.port };
  await expect(hold(request)).rejects.toMatchObject({
    kind: "internal",
    message: `driver failed programming external connectivity on endpoint web (e1): failed to bind host port for ${IPV4}:${taken.port}:${IPV4}:80/tcp: address already in use`,
    hint: expect.stringContaining(`(process ${process.pid})`),
  });
});

test("a port that another container has is refused in Docker's words, and the container named", async () => {
  const request = { containerPort: 80, protocol: "tcp" as const, hostIp: IPV4, hostPort: 8080 };
  await expect(hold(request, { holderOf: () => "shop" })).rejects.toMatchObject({
    message:
      "driver failed programming external connectivity on endpoint web (e1): Bind for 127.0.0.1:8080 failed: port is already allocated",
    hint: "container shop publishes that port: stop it, or choose another port",
  });
});

test("SCTP is published on IPv4, or the kernel's lack of it is named", async () => {
  const outcome = await hold({ containerPort: 80, protocol: "sctp" }).catch((error: unknown) => error);
  if (Array.isArray(outcome)) {
    expect(outcome).toMatchObject([{ protocol: "sctp", hostIp: "0.0.0.0" }]);
  } else {
    expect(outcome).toMatchObject({
      kind: "unsupported",
      message: "Cannot publish port 80/sctp: this kernel has no SCTP",
    });
  }
});

test("nothing stays held when a later port cannot be", async () => {
  const { first } = freePorts();
  using taken = reservePort({ protocol: "udp", address: "0.0.0.0", port: 0 });
  const requests: PortRequest[] = [
    { containerPort: 80, protocol: "tcp", hostPort: first },
    { containerPort: 53, protocol: "udp", hostPort: taken.port },
  ];
  await expect(holdPorts(requests, context)).rejects.toThrow("address already in use");
  reservePort({ protocol: "tcp", address: "0.0.0.0", port: first })[Symbol.dispose]();
});
