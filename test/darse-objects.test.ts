import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Output, TestEngine } from "./engine.ts";

// Our own commands for volumes and networks, held against the docker command line on the same engine.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.darse(["volume", "create", "--label", "kind=test", "--label", "bare", "data"]);
  await engine.darse(["run", "-d", "--name", "lives", "-v", "used:/data", "busybox", "sleep", "1d"]);
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

/** Commands that only look: both command lines print the same. */
const same: string[][] = [
  ["volume", "ls"],
  ["volume", "list", "-q"],
  ["volume", "ls", "-f", "label=kind=test"],
  ["volume", "ls", "-f", "dangling=true", "--format", '{{.Name}} {{.Driver}} {{.Scope}} {{.Label "kind"}}'],
  ["volume", "ls", "--format", "table {{.Name}}\t{{.Links}}\t{{.Size}}\t{{.Mountpoint}}"],
  ["volume", "inspect", "used"],
  ["volume", "inspect", "-f", "{{.Name}} {{.Labels.kind}}", "data", "used"],
  ["network", "ls"],
  ["network", "list", "--no-trunc", "-q"],
  ["network", "ls", "-f", "driver=host", "--format", "{{.ID}} {{.Name}} {{.IPv4}} {{.IPv6}} {{.Internal}}"],
  ["network", "ls", "-f", "name=b", "--format", "table {{.Name}}\t{{.Scope}}\t{{.Labels}}"],
  ["network", "inspect", "-f", "{{.Name}} {{.Driver}} {{len .Containers}}", "bridge", "none"],
  ["inspect", "--type", "volume", "-f", "{{.Name}}", "data"],
  ["inspect", "--type", "network", "-f", "{{.Name}}", "host"],
  ["inspect", "-f", "{{.Name}}", "lives", "data"],
];

for (const args of same) {
  test(`darse ${args.join(" ")} prints what docker does`, async () => {
    const [ours, theirs] = await Promise.all([engine.darse(args), engine.docker(args)]);
    expect(ours).toEqual(theirs);
    expect(ours.code).toBe(0);
  });
}

/** Failures: the same exit code; what docker's message says, ours does too. */
const failures: [args: string[], message: string][] = [
  [["volume", "rm", "nope"], "get nope: no such volume"],
  [["volume", "rm", "used"], "remove used: volume is in use"],
  [["volume", "inspect", "nope"], "get nope: no such volume"],
  [["volume", "create", "a/b"], "includes invalid characters for a local volume name"],
  [["volume", "create", "-d", "nfs"], 'plugin "nfs" not found'],
  [["volume", "create", "-o", "type=nfs", "remote"], 'create remote: missing required option: "device"'],
  [["volume", "ls", "-f", "nope=x"], "invalid filter 'nope'"],
  [["network", "inspect", "nope"], "network nope not found"],
  [["network", "ls", "-f", "type=mine"], "invalid filter"],
];

for (const [args, message] of failures) {
  test(`darse ${args.join(" ")} fails as docker does`, async () => {
    const [ours, theirs] = await Promise.all([engine.darse(args), engine.docker(args)]);
    expect([ours.code, theirs.code]).toEqual([1, 1]);
    for (const { stderr } of [ours, theirs]) expect(stderr).toContain(message);
  });
}

const clients: [string, (args: readonly string[], input?: string) => Promise<Output>][] = [
  ["docker", (args, input = "") => engine.docker(args, { input })],
  ["darse", (args, input = "") => engine.darse(args, { input })],
];

for (const [name, client] of clients) {
  test(`${name} volume create prints the name, and makes up one`, async () => {
    expect((await client(["volume", "create", "named"])).stdout).toBe("named\n");
    expect((await client(["volume", "create", "named"])).stdout).toBe("named\n");
    expect((await client(["volume", "create"])).stdout).toMatch(/^[0-9a-f]{64}\n$/);
    expect((await client(["volume", "rm", "named"])).stdout).toBe("named\n");
    expect((await client(["volume", "rm", "-f", "named"])).code).toBe(0);
    const pruned = await client(["volume", "prune", "-f"]);
    expect(pruned.stdout).toMatch(/^Deleted Volumes:\n[0-9a-f]{64}\n\nTotal reclaimed space: 0B\n$/);
  });

  test(`${name} asks before it prunes`, async () => {
    await client(["create", "--name", "stopped", "busybox", "true"]);
    const refused = await client(["container", "prune"], "n\n");
    expect(refused).toMatchObject({ code: 0 });
    expect(refused.stdout).toStartWith(
      "WARNING! This will remove all stopped containers.\nAre you sure you want to continue? [y/N] ",
    );
    expect((await client(["inspect", "stopped"])).code).toBe(0);
    const taken = await client(["container", "prune"], "y\n");
    expect(taken.stdout).toMatch(/Deleted Containers:\n[0-9a-f]{64}\n\nTotal reclaimed space: /);
    expect((await client(["inspect", "stopped"])).code).toBe(1);
  });

  test(`${name} volume prune --all takes the named ones that nobody uses`, async () => {
    await client(["volume", "create", "spare"]);
    const refused = await client(["volume", "prune", "--all"], "");
    expect(refused.stdout).toContain(
      "WARNING! This will remove all local volumes not used by at least one container.",
    );
    const taken = await client(["volume", "prune", "--all", "-f", "--filter", "label!=bare"]);
    expect(taken.stdout).toBe("Deleted Volumes:\nspare\n\nTotal reclaimed space: 0B\n");
    expect((await client(["volume", "ls", "-q"])).stdout).toBe("data\nused\n");
  });
}
