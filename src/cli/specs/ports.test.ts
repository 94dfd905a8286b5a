import { expect, test } from "bun:test";
import { parsePorts } from "./ports.ts";

type Bindings = Record<string, [string, string][]>;

const table: [string[], Bindings][] = [
  [["80"], { "80/tcp": [["", ""]] }],
  [["8080:80"], { "80/tcp": [["", "8080"]] }],
  [["8080:80/udp"], { "80/udp": [["", "8080"]] }],
  [["53:53/UDP"], { "53/udp": [["", "53"]] }],
  [["127.0.0.1:8080:80"], { "80/tcp": [["127.0.0.1", "8080"]] }],
  [["127.0.0.1::80"], { "80/tcp": [["127.0.0.1", ""]] }],
  [["[::1]:8080:80"], { "80/tcp": [["::1", "8080"]] }],
  [["::1:8080:80"], { "80/tcp": [["::1", "8080"]] }],
  [["8000-8002:80"], { "80/tcp": [["", "8000-8002"]] }],
  [["8000-8001:80-81"], { "80/tcp": [["", "8000"]], "81/tcp": [["", "8001"]] }],
  [["80-81"], { "80/tcp": [["", ""]], "81/tcp": [["", ""]] }],
  [
    ["8080:80", "8081:80"],
    {
      "80/tcp": [
        ["", "8080"],
        ["", "8081"],
      ],
    },
  ],
  [["published=8080,target=80"], { "80/tcp": [["", "8080"]] }],
  [["target=53,protocol=udp"], { "53/udp": [["", ""]] }],
];

for (const [publish, want] of table) {
  test(`-p ${publish.join(" -p ")}`, () => {
    const { bindings, exposed } = parsePorts(publish);
    const found = Object.entries(bindings).map(([port, list]) => [
      port,
      list?.map((one) => [one.HostIp, one.HostPort]),
    ]);
    expect(Object.fromEntries(found)).toEqual(want);
    expect(Object.keys(exposed)).toEqual(Object.keys(want));
  });
}

test("--expose opens ports without publishing them", () => {
  const { bindings, exposed } = parsePorts([], ["80", "7000-7001/udp"]);
  expect(bindings).toEqual({});
  expect(Object.keys(exposed)).toEqual(["80/tcp", "7000/udp", "7001/udp"]);
});

const wrong: [string, string][] = [
  ["99999", "invalid containerPort: 99999"],
  ["x:80", "invalid hostPort: x"],
  ["8000-8002:80-81", "invalid ranges specified for container and host Ports"],
  ["1.2.3:80:80", "invalid IP address: 1.2.3"],
  ["nope:80:80", "invalid IP address: nope"],
  ["80/icmp", "invalid proto: icmp"],
  ["8080:", "no port specified: 8080:<empty>"],
  ["", "no port specified: <empty>"],
  ["published=80", "invalid port specification: published=80"],
  ["81-80", "invalid containerPort: 81-80"],
];

for (const [text, message] of wrong) {
  test(`-p "${text}" is refused: ${message}`, () => expect(() => parsePorts([text])).toThrow(message));
}
