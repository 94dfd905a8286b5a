import { expect, test } from "bun:test";
import {
  addressBody,
  bridgeBody,
  decodeAddress,
  decodeLink,
  decodeRoute,
  linkBody,
  portBody,
  routeBody,
  vethBody,
} from "./route-message.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

/** Bodies as `ip -batch` of iproute2 sends them, attribute order apart. */
const BODIES: [string, Uint8Array, string][] = [
  [
    "a bridge that is up",
    bridgeBody({ name: "br0", mtu: 1400, isUp: true }),
    `00000000 00000000 01000000 01000000
     0800 0300 62723000
     0800 0400 78050000
     1000 1280 0b00 0100 62726964676500 00`,
  ],
  [
    "a veth pair with its peer in another namespace",
    vethBody(
      { name: "v0", masterIndex: 5, isUp: true },
      { name: "eth0", mac: "02:00:00:00:00:01", namespaceFd: 9 },
    ),
    `00000000 00000000 01000000 01000000
     0700 0300 763000 00
     0800 0a00 05000000
     4800 1280
       0900 0100 7665746800 000000
       3800 0280
         3400 0100
           00000000 00000000 00000000 00000000
           0900 0300 6574683000 000000
           0a00 0100 020000000001 0000
           0800 1c00 09000000`,
  ],
  ["a link that goes down", linkBody(7, { isUp: false }), "00000000 07000000 00000000 01000000"],
  ["a new name", linkBody(7, { name: "a" }), "00000000 07000000 00000000 00000000 0600 0300 6100 0000"],
  [
    "a port that may reflect",
    portBody(7, { isHairpin: true }),
    "07000000 07000000 00000000 00000000 0c00 0c80 0500 0400 01000000",
  ],
  [
    "an IPv4 address with its broadcast address",
    addressBody({ linkIndex: 3, address: "172.17.0.2", prefixLength: 16 }),
    `02 10 00 00 03000000
     0800 0200 ac110002
     0800 0100 ac110002
     0800 0400 ac11ffff`,
  ],
  [
    "an IPv6 address",
    addressBody({ linkIndex: 3, address: "fd00::2", prefixLength: 64 }),
    `0a 40 00 00 03000000
     1400 0200 fd000000000000000000000000000002
     1400 0100 fd000000000000000000000000000002`,
  ],
  [
    "a default route",
    routeBody({ gateway: "172.17.0.1", linkIndex: 3 }),
    "02 00 00 00 fe 04 00 01 00000000 0800 0400 03000000 0800 0500 ac110001",
  ],
  [
    "a route on the link",
    routeBody({ destination: { address: "10.0.0.0", prefixLength: 8 }, linkIndex: 3 }),
    "02 08 00 00 fe 04 fd 01 00000000 0800 0400 03000000 0800 0100 0a000000",
  ],
];

for (const [name, body, expected] of BODIES) {
  test(`body of ${name}`, () => {
    expect(Buffer.from(body).toString("hex")).toBe(Buffer.from(bytes(expected)).toString("hex"));
  });
}

test("decodeLink() reads a port of a bridge", () => {
  const payload = bytes(`00000100 06000000 43100100 00000000
    0700 0300 763000 00  0800 0400 78050000  0800 0a00 05000000  0a00 0100 020000000001 0000
    1000 1200 0900 0100 7665746800 000000`);
  expect(decodeLink(payload)).toEqual({
    index: 6,
    name: "v0",
    kind: "veth",
    mac: "02:00:00:00:00:01",
    mtu: 1400,
    masterIndex: 5,
    isUp: true,
  });
});

test("decodeAddress() reads the local address of a point-to-point link, not the far one", () => {
  const payload = bytes("02 20 80 00 03000000 0800 0100 0a000001 0800 0200 0a000002");
  expect(decodeAddress(payload)).toEqual({ linkIndex: 3, address: "10.0.0.2", prefixLength: 32 });
});

test("decodeRoute() prefers the 32-bit table number", () => {
  const payload = bytes(
    "02 08 00 00 fc 04 00 01 00000000 0800 0f00 e8030000 0800 0100 0a000000 0800 0400 03000000",
  );
  expect(decodeRoute(payload)).toEqual({
    family: "ipv4",
    destination: "10.0.0.0",
    prefixLength: 8,
    table: 1000,
    isUnicast: true,
    linkIndex: 3,
  });
});
