import { expect, test } from "bun:test";
import { parseChallenges } from "./challenge.ts";
import { ownApis } from "./endpoint.ts";
import { isInsecure } from "./insecure.ts";

const table: readonly (readonly [
  header: string,
  wanted: readonly (readonly [string, Record<string, string>])[],
])[] = [
  ["", []],
  ["Basic", [["basic", {}]]],
  ['Basic realm="a, b"', [["basic", { realm: "a, b" }]]],
  [
    'Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"',
    [["bearer", { realm: "https://a/token", service: "s", scope: "repository:x:pull,push" }]],
  ],
  [
    "Bearer realm=https , Basic realm=x",
    [
      ["bearer", { realm: "https" }],
      ["basic", { realm: "x" }],
    ],
  ],
  [
    'Negotiate, Bearer Realm="a\\"b"',
    [
      ["negotiate", {}],
      ["bearer", { realm: 'a"b' }],
    ],
  ],
  ['Bearer realm="never closed', [["bearer", {}]]],
  ["=,=", []],
];
for (const [header, wanted] of table) {
  test(`challenges of ${JSON.stringify(header)}`, () => {
    const found = parseChallenges(header).map(({ scheme, parameters }) => [
      scheme,
      Object.fromEntries(parameters),
    ]);
    expect(found).toEqual(wanted.map(([scheme, parameters]) => [scheme, parameters]));
  });
}

const plain: readonly (readonly [host: string, isPlain: boolean])[] = [
  ["localhost:5000", true],
  ["localhost", true],
  ["127.0.0.1:5000", true],
  ["127.8.8.8", true],
  ["[::1]:5000", true],
  ["declared.example:5000", true],
  ["docker.io", false],
  ["127.0.0.1.example", false],
  ["localhost.example:5000", false],
  ["10.0.0.1:5000", false],
  ["192.168.7.1:5000", true],
  ["192.169.7.1:5000", false],
  ["[fd00::7]:5000", true],
  ["[fe00::7]", false],
];
for (const [host, isPlain] of plain) {
  test(`plain HTTP ${isPlain ? "may" : "may not"} be spoken with ${host} (case 30)`, () => {
    expect(isInsecure(host, ["declared.example:5000", "192.168.0.0/16", "fd00::/8"])).toBe(isPlain);
  });
}

test("docker.io answers at its API host, by HTTPS only", () => {
  const apis = ownApis("docker.io", { mayBePlain: isInsecure });
  expect(apis.map(String)).toEqual(["https://registry-1.docker.io/v2/"]);
});

test("a host that may be insecure is asked by HTTPS first", () => {
  const apis = ownApis("[::1]:5000", { mayBePlain: isInsecure });
  expect(apis.map(String)).toEqual(["https://[::1]:5000/v2/", "http://[::1]:5000/v2/"]);
});
