import { expect, test } from "bun:test";
import { renderHosts } from "./hosts.ts";

const base = { hostname: "web", addresses: ["172.17.0.2"], extraHosts: [], hasIpv6Loopback: true };

test("fixed lines come first, the container's own last, with tabs between", () => {
  expect(renderHosts(base)).toBe(
    "127.0.0.1\tlocalhost\n" +
      "::1\tlocalhost ip6-localhost ip6-loopback\n" +
      "fe00::\tip6-localnet\n" +
      "ff00::\tip6-mcastprefix\n" +
      "ff02::1\tip6-allnodes\n" +
      "ff02::2\tip6-allrouters\n" +
      "172.17.0.2\tweb\n",
  );
});

const LAST_LINE: [string, Partial<Parameters<typeof renderHosts>[0]>, string][] = [
  [
    "a domain gives the full and the short name",
    { domainname: "example.org" },
    "172.17.0.2\tweb.example.org web",
  ],
  [
    "a full host name gives its short one too",
    { hostname: "web.example.org" },
    "172.17.0.2\tweb.example.org web",
  ],
  ["an extra host stands before", { extraHosts: ["db:10.0.0.5"], addresses: [] }, "10.0.0.5\tdb"],
  ["an extra host may be IPv6", { extraHosts: ["db:fd00::5"], addresses: [] }, "fd00::5\tdb"],
  ["an extra host may be IPv6 in brackets", { extraHosts: ["db:[fd00::5]"], addresses: [] }, "fd00::5\tdb"],
  [
    "host-gateway is the gateway",
    { extraHosts: ["host:host-gateway"], gateway: "172.17.0.1", addresses: [] },
    "172.17.0.1\thost",
  ],
];

for (const [name, change, expected] of LAST_LINE) {
  test(name, () =>
    expect(
      renderHosts({ ...base, ...change })
        .trimEnd()
        .split("\n")
        .at(-1),
    ).toBe(expected),
  );
}

test("lines of IPv6 are left out where there is none", () => {
  expect(renderHosts({ ...base, hasIpv6Loopback: false })).toBe("127.0.0.1\tlocalhost\n172.17.0.2\tweb\n");
});
