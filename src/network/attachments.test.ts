import { expect, test } from "bun:test";
import { newNetworkId } from "#base/ids.ts";
import { memoryDatabase } from "./_memory-database.ts";
import type { Attachment } from "./attachment.ts";
import { Attachments } from "./attachments.ts";
import type { PortBinding } from "./port-publisher.ts";

function attachment(...ports: PortBinding[]): Attachment {
  const endpoint = {
    networkId: newNetworkId(),
    networkName: "bridge",
    endpointId: "e1",
    ipv4: "172.17.0.2",
    prefix: 16,
    gateway: "172.17.0.1",
    mac: "02:00:00:00:00:01",
    hostInterface: "veth1",
  };
  return {
    id: "0123456789abcdef",
    name: "web",
    namespacePath: "/run/ns",
    isShared: false,
    isContainer: true,
    endpoints: [endpoint],
    ports,
  };
}

const http: PortBinding = { containerPort: 80, protocol: "tcp", hostIp: "0.0.0.0", hostPort: 8080 };

test("what was put is read back by the next engine", () => {
  const database = memoryDatabase();
  const put = attachment(http, { ...http, protocol: "udp", hostIp: "::" });
  new Attachments(database.documents("attachments")).put(put);
  expect(new Attachments(database.documents("attachments")).find(put.id)).toEqual(put);
});

test("publications are the ports whose family the container has, and say whose they are", () => {
  const attachments = new Attachments(memoryDatabase().documents("attachments"));
  const comment = "web (0123456789ab) on bridge";
  const both = attachment(http, { ...http, hostIp: "::" });
  attachments.put(both);
  expect(attachments.publications()).toEqual([{ ...http, address: "172.17.0.2", comment }]);
  const endpoints = both.endpoints.map((one) => ({ ...one, ipv6: "fd00::2", ipv6Gateway: "fd00::1" }));
  attachments.put({ ...both, endpoints });
  expect(attachments.publications()[1]).toEqual({ ...http, hostIp: "::", address: "fd00::2", comment });
});

const CLASHES: [PortBinding, boolean][] = [
  [http, true],
  [{ ...http, hostIp: "127.0.0.1" }, true],
  [{ ...http, hostIp: "::" }, false],
  [{ ...http, protocol: "udp" }, false],
  [{ ...http, hostPort: 8081 }, false],
];

for (const [binding, expected] of CLASHES) {
  const what = `${binding.hostIp}:${binding.hostPort}/${binding.protocol}`;
  test(`0.0.0.0:8080/tcp ${expected ? "holds" : "leaves"} ${what}`, () => {
    const attachments = new Attachments(memoryDatabase().documents("attachments"));
    attachments.put(attachment(http));
    expect(attachments.holderOf(binding)?.name).toBe(expected ? "web" : undefined);
  });
}

test("two addresses of the host may have the same port", () => {
  const attachments = new Attachments(memoryDatabase().documents("attachments"));
  attachments.put(attachment({ ...http, hostIp: "192.0.2.2" }));
  expect(attachments.holderOf({ ...http, hostIp: "127.0.0.1" })).toBeUndefined();
  expect(attachments.holderOf(http)?.name).toBe("web");
});
