import { afterAll, beforeAll, expect, test } from "bun:test";
import { TestEngine } from "../engine.ts";

// What the docker command line is told where the engine has nothing to offer.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const cases: [args: string[], code: number, printed: RegExp][] = [
  [["node", "ls"], 1, /This node is not a swarm manager\. Use "docker swarm init"/],
  [["service", "ls"], 1, /This node is not a swarm manager/],
  [["secret", "inspect", "x"], 1, /This node is not a swarm manager/],
  [["swarm", "init"], 1, /there is no swarm mode: an engine is one machine\n.*darse run/],
  [["plugin", "ls"], 0, /^ID +NAME +DESCRIPTION +ENABLED\n$/],
  [["plugin", "install", "--grant-all-permissions", "x/y"], 1, /there are no plugins/],
  [
    ["network", "create", "-d", "overlay", "x"],
    1,
    /This node is not a swarm manager\. Use "docker swarm init"[^]*bridge on one host, macvlan on a LAN/,
  ],
  [["network", "create", "--ingress", "x"], 1, /Ingress network can only be global scope network/],
  [["run", "--rm", "--network", "own", "busybox", "true"], 125, /network own not found/],
];

for (const [args, code, printed] of cases) {
  test(`docker ${args.join(" ")} is told why`, async () => {
    const output = await engine.docker(args);
    expect(output.code).toBe(code);
    expect(code === 0 ? output.stdout : output.stderr).toMatch(printed);
  });
}
