import { expect, test } from "bun:test";
import { parseResolvConf, renderResolvConf, usesSystemdStub } from "./resolv-conf.ts";
import type { ResolvConfOptions } from "./resolv-conf.ts";

const RENDERED: [string, string, ResolvConfOptions, string][] = [
  [
    "a plain file passes",
    "nameserver 10.0.0.53\nsearch a.org b.org\noptions ndots:2\n",
    {},
    "nameserver 10.0.0.53\nsearch a.org b.org\noptions ndots:2\n",
  ],
  [
    "loopback resolvers are dropped",
    "nameserver 127.0.0.1\nnameserver 127.0.0.53\nnameserver 10.0.0.53\n",
    {},
    "nameserver 10.0.0.53\n",
  ],
  [
    "IPv6 resolvers are dropped",
    "nameserver fd00::53\nnameserver fe80::1%eth0\nnameserver 10.0.0.53\n",
    {},
    "nameserver 10.0.0.53\n",
  ],
  [
    "public ones stand in when none is left",
    "nameserver ::1\nnameserver 127.0.1.1\nsearch lan\n",
    {},
    "nameserver 8.8.8.8\nnameserver 8.8.4.4\nsearch lan\n",
  ],
  ["an empty file is given public ones", "", {}, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"],
  [
    "comments and unknown lines are passed over",
    "# x\n; y\nnameserver 10.0.0.53 # main\nsortlist 1.2.3.4\n",
    {},
    "nameserver 10.0.0.53\n",
  ],
  [
    "the last of search and domain wins",
    "domain a.org\nsearch b.org\nnameserver 10.0.0.53",
    {},
    "nameserver 10.0.0.53\nsearch b.org\n",
  ],
  [
    "asked-for servers take the place of the host's, loopback too",
    "nameserver 10.0.0.53\nsearch lan\n",
    { dns: { servers: ["127.0.0.1"] } },
    "nameserver 127.0.0.1\nsearch lan\n",
  ],
  [
    "asked-for search and options take the place of the host's",
    "nameserver 10.0.0.53\nsearch lan\noptions a\n",
    { dns: { search: ["x.org"], options: ["ndots:1"] } },
    "nameserver 10.0.0.53\nsearch x.org\noptions ndots:1\n",
  ],
  [
    "a search list of a dot alone is none",
    "nameserver 10.0.0.53\nsearch lan\n",
    { dns: { search: ["."] } },
    "nameserver 10.0.0.53\n",
  ],
  [
    "in the host's namespace every resolver stays",
    "nameserver 127.0.0.53\nnameserver fd00::53\n",
    { isHost: true },
    "nameserver 127.0.0.53\nnameserver fd00::53\n",
  ],
];

for (const [name, host, options, expected] of RENDERED) {
  test(`resolv.conf: ${name}`, () => {
    const [comment, ...lines] = renderResolvConf(host, options).split("\n");
    expect(comment).toStartWith("# ");
    expect(lines.join("\n")).toBe(expected);
  });
}

const STUBS: [string, boolean][] = [
  ["nameserver 127.0.0.53\noptions edns0\n", true],
  ["nameserver 127.0.0.53\nnameserver 10.0.0.1\n", false],
  ["nameserver 127.0.0.1\n", false],
  ["", false],
];

for (const [text, expected] of STUBS) {
  test(`${JSON.stringify(text)} ${expected ? "is" : "is not"} systemd's stub`, () => {
    expect(usesSystemdStub(text)).toBe(expected);
  });
}

test("options add up", () => {
  expect(parseResolvConf("options a b\noptions c\n").options).toEqual(["a", "b", "c"]);
});
