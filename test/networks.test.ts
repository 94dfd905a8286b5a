import { afterAll, beforeAll, expect } from "bun:test";
import { needs } from "./needs.ts";
import { type Output, TestEngine } from "./engine.ts";

const withEngine = needs("root", "overlay", "crun", "conmon", "nft", "docker-cli");

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const docker = (...args: string[]): Promise<Output> => engine.docker(args);

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await docker(...args);
  if (code !== 0) throw new Error(`docker ${args.join(" ")} answered ${code}: ${stderr}`);
  return stdout.trim();
}

/** A container that lives until it is removed; disposing removes it. */
async function living(name: string, ...options: string[]): Promise<AsyncDisposable> {
  await said("run", "-d", "--name", name, ...options, "busybox", "sleep", "1d");
  return { [Symbol.asyncDispose]: async () => void (await docker("rm", "-f", name)) };
}

async function network(name: string, ...options: string[]): Promise<AsyncDisposable> {
  await said("network", "create", ...options, name);
  return { [Symbol.asyncDispose]: async () => void (await docker("network", "rm", name)) };
}

const addressOf = (container: string, name: string): Promise<string> =>
  said("inspect", "-f", `{{(index .NetworkSettings.Networks "${name}").IPAddress}}`, container);

const reaches = async (from: string, address: string): Promise<boolean> =>
  (await docker("exec", from, "ping", "-c", "1", "-W", "2", address)).code === 0;

withEngine(
  "a container joins and leaves networks while it runs; its hosts file follows",
  async () => {
    await using _shop = await network("shop");
    await using _back = await network("back", "--internal");
    await using _web = await living("web", "--network", "shop", "--hostname", "web.example.org");
    await using _db = await living("db", "--network", "back");
    expect(await reaches("web", await addressOf("db", "back"))).toBe(false);
    await said("network", "connect", "--alias", "front", "back", "web");
    expect(await reaches("web", await addressOf("db", "back"))).toBe(true);
    const hosts = await said("exec", "web", "cat", "/etc/hosts");
    expect(hosts).toContain(`${await addressOf("web", "back")}\t`);
    expect((await docker("network", "connect", "back", "web")).stderr).toContain(
      "endpoint with name web already exists in network back",
    );
    const left = await addressOf("web", "back");
    await said("network", "disconnect", "back", "web");
    expect(await said("exec", "web", "cat", "/etc/hosts")).not.toContain(left);
    expect((await docker("network", "disconnect", "back", "web")).stderr).toContain("is not connected to");
  },
  60_000,
);

withEngine(
  "what a stopped container joins and leaves holds when it starts, and after a restart",
  async () => {
    await using _one = await network("one");
    await using _two = await network("two");
    await said("create", "--name", "late", "--network", "one", "busybox", "sleep", "1d");
    try {
      await said("network", "connect", "--ip6", "", "two", "late");
      await said("network", "disconnect", "one", "late");
      const networks = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}";
      for (const verb of ["start", "restart"]) {
        await said(verb, "-t", "0", "late").catch(() => said("start", "late"));
        expect(await said("inspect", "-f", networks, "late")).toBe("two");
        expect(await addressOf("late", "two")).toMatch(/^\d/);
      }
    } finally {
      await docker("rm", "-f", "late");
    }
  },
  60_000,
);

withEngine(
  "networks, members and addresses outlive the engine, killed or stopped",
  async () => {
    await using _kept = await network("kept", "--label", "a=b");
    await using _left = await living("left", "--network", "kept");
    await using _right = await living("right", "--network", "kept");
    const id = await said("network", "inspect", "-f", "{{.Id}}", "kept");
    const before = await addressOf("right", "kept");
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await engine.stopDaemon(signal);
      await engine.startDaemon();
      expect(await said("network", "inspect", "-f", "{{.Id}}", "kept")).toBe(id);
      expect(await addressOf("right", "kept")).toBe(before);
      expect(await reaches("left", before)).toBe(true);
      expect((await docker("network", "rm", "kept")).stderr).toMatch(
        /has active endpoints \(name:"(left|right)"/,
      );
    }
    await using _late = await living("late", "--network", "kept");
    expect(await reaches("late", before)).toBe(true);
  },
  60_000,
);

withEngine(
  "a fixed address, and a link, are as they were asked for",
  async () => {
    await using _fixed = await network("fixed", "--subnet", "10.214.7.0/24", "--gateway", "10.214.7.254");
    await using _db = await living(
      "db",
      "--network",
      "fixed",
      "--ip",
      "10.214.7.20",
      "--mac-address",
      "02:42:0a:d6:07:14",
    );
    await using _web = await living("web", "--network", "fixed", "--link", "db:store");
    expect(await said("exec", "db", "ip", "-o", "addr", "show", "eth0")).toContain("10.214.7.20/24");
    expect(await said("exec", "db", "cat", "/sys/class/net/eth0/address")).toBe("02:42:0a:d6:07:14");
    expect(await said("exec", "web", "ip", "route")).toContain("default via 10.214.7.254");
    const taken = await docker("run", "--rm", "--network", "fixed", "--ip", "10.214.7.20", "busybox", "true");
    expect(taken.stderr).toContain("Address already in use");
    const outside = await docker(
      "run",
      "--rm",
      "--network",
      "fixed",
      "--ip",
      "10.215.0.1",
      "busybox",
      "true",
    );
    expect(outside.stderr).toContain("no configured subnet contains IP address 10.215.0.1");
    const overlap = await docker("network", "create", "--subnet", "10.214.0.0/16", "wide");
    expect(overlap.stderr).toMatch(/Pool overlaps with other one[^]*10\.214\.7\.0\/24 of network fixed/);
  },
  60_000,
);

withEngine(
  "--ipv6 gives addresses of both families, --ipv4=false of one",
  async () => {
    await using _dual = await network("dual", "--ipv6");
    await using _six = await network("six", "--ipv6", "--ipv4=false");
    await using _one = await living("one", "--network", "dual");
    await using _two = await living("two", "--network", "dual");
    await using _three = await living("three", "--network", "six");
    const sixth = "{{range .NetworkSettings.Networks}}{{.GlobalIPv6Address}}{{end}}";
    const address = await said("inspect", "-f", sixth, "two");
    expect((await docker("exec", "one", "ping", "-6", "-c", "1", "-W", "2", address)).code).toBe(0);
    expect(await said("exec", "three", "ip", "-o", "addr", "show", "eth0")).not.toContain("inet ");
  },
  60_000,
);

withEngine(
  "the events of a container's network stand where Docker has them",
  async () => {
    await using _told = await network("told");
    const since = String(Date.now() / 1000);
    await said("run", "--rm", "--name", "short", "--network", "told", "busybox", "true");
    const until = String(Date.now() / 1000 + 1);
    const format = '{{.Type}} {{.Action}} {{index .Actor.Attributes "name"}}';
    const lines = (await said("events", "--since", since, "--until", until, "--format", format)).split("\n");
    const wanted = /^(container (create|start|die|destroy)|network)/;
    expect(lines.filter((line) => wanted.test(line))).toEqual([
      "container create short",
      "network connect told",
      "container start short",
      "container die short",
      "network disconnect told",
      "container destroy short",
    ]);
  },
  60_000,
);

withEngine(
  "one in the host's network, in another's or in none joins no other",
  async () => {
    await using _own = await network("own");
    await using _base = await living("base");
    for (const [mode, text] of [
      ["host", "container sharing network namespace with another container or host cannot be connected"],
      [
        "container:base",
        "container sharing network namespace with another container or host cannot be connected",
      ],
      ["none", "one of the networks in private (none) mode"],
    ] as const) {
      await using _one = await living("one", "--network", mode);
      expect((await docker("network", "connect", "own", "one")).stderr).toContain(text);
    }
  },
  60_000,
);

withEngine(
  "steps of a build reach the containers of the network they run on, by name",
  async () => {
    await using _own = await network("own");
    await using _web = await living("web", "--network", "own");
    const input = "FROM busybox\nRUN ping -c 1 -W 2 web\n";
    const built = await engine.docker(["build", "--no-cache", "--network", "own", "-"], { input });
    expect(built.stdout).toContain("1 packets received");
    const refused = await engine.docker(["build", "--no-cache", "--network", "gone", "-"], { input });
    expect(refused.stderr + refused.stdout).toContain("network gone not found");
    expect(refused.code).not.toBe(0);
  },
  60_000,
);
