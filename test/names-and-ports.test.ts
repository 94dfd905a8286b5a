import { afterAll, beforeAll, describe, expect } from "bun:test";
import { join } from "node:path";
import { FIXTURES, TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

// Containers find each other by name, and nginx finds its application; ports lead to containers whatever becomes of the
// engine.

const live = needs("root", "crun", "conmon", "nft");
const withServices = needs("root", "crun", "conmon", "nft", "services");

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

async function darse(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await engine.darse(args);
  if (code !== 0) throw new Error(`darse ${args.join(" ")} gave ${code}: ${stderr}`);
  return stdout.trim();
}

/** A container of busybox that waits. */
async function start(name: string, ...options: string[]): Promise<string> {
  return await darse("run", "-d", "--name", name, ...options, "busybox", "sleep", "1d");
}

/** What a container is told of a name: addresses, or names for `ptr`; empty when it is not known. */
async function lookUp(container: string, name: string, type = "a"): Promise<string[]> {
  const { stdout } = await engine.darse(["exec", container, "nslookup", `-type=${type}`, name]);
  const answer = stdout.split("\n\n").slice(1).join("\n");
  const found = [...answer.matchAll(/^Address: (\S+)$|name = (\S+)$/gm)];
  return found.map(([, address, other]) => address ?? other ?? "").toSorted();
}

async function addressOf(container: string, network: string, field = "IPAddress"): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${network}").${field}}}`;
  return await darse("inspect", "-f", format, container);
}

/** The body at an address of the host; `undefined` when nobody answers. */
async function fetchText(url: string): Promise<{ status: number; text: string } | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return { status: response.status, text: await response.text() };
  } catch {
    return undefined;
  }
}

/** Asks until the answer is the wanted one, or gives what it is in the end. */
async function eventually<T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  for (let left = 100; ; left--) {
    const answer = await ask();
    if (left === 0 || isWanted(answer)) return answer;
    await Bun.sleep(50);
  }
}

describe("names", () => {
  let db = "";

  beforeAll(async () => {
    await darse("network", "create", "--ipv6", "shop");
    await darse("network", "create", "office");
    await darse("network", "create", "--internal", "vault");
    const id = await start("db", "--network", "shop", "--network-alias", "Store", "--hostname", "base");
    db = id.slice(0, 12);
    await start("web", "--network", "shop");
    await darse("network", "connect", "office", "web");
    for (const one of ["one", "two"]) await start(one, "--network", "office", "--network-alias", "both");
    await start("gold", "--network", "vault");
    await start("silver", "--network", "vault");
    await start("plain");
  }, 60_000);

  live("are the container's, its aliases, its short id, and each with the network behind it", async () => {
    const address = await addressOf("db", "shop");
    for (const name of ["db", "store", "STORE", db, "db.shop", "store.shop"]) {
      expect([name, ...(await lookUp("web", name))]).toEqual([name, address]);
    }
    expect(await lookUp("web", "db", "aaaa")).toEqual([await addressOf("db", "shop", "GlobalIPv6Address")]);
  });

  live("one of several containers stands for all of them", async () => {
    const addresses = [await addressOf("one", "office"), await addressOf("two", "office")];
    expect(await lookUp("web", "both")).toEqual(addresses.toSorted());
    expect(await lookUp("web", "both", "aaaa")).toEqual([]);
  });

  live("addresses have names", async () => {
    const reverse = (address: string): string => `${address.split(".").toReversed().join(".")}.in-addr.arpa`;
    expect(await lookUp("web", reverse(await addressOf("db", "shop")), "ptr")).toEqual(["db.shop"]);
    expect(await lookUp("db", reverse(await addressOf("web", "shop")), "ptr")).toEqual(["web.shop"]);
  });

  live("mean nothing to those who share no network, and on the default bridge", async () => {
    for (const [asker, name] of [
      ["db", "one"],
      ["one", "db"],
      ["plain", "db"],
      ["gold", "web"],
    ] as const) {
      expect(await lookUp(asker, name)).toEqual([]);
    }
    expect(await darse("exec", "plain", "cat", "/etc/resolv.conf")).not.toContain("127.0.0.11");
    expect(await darse("exec", "web", "cat", "/etc/resolv.conf")).toContain("nameserver 127.0.0.11");
  });

  live("an internal network has its own, and no others of any kind", async () => {
    expect(await lookUp("gold", "silver")).toEqual([await addressOf("silver", "vault")]);
    for (const type of ["a", "aaaa", "mx", "txt", "ns", "soa", "any"]) {
      const { code, stdout } = await engine.darse([
        "exec",
        "gold",
        "nslookup",
        `-type=${type}`,
        "example.org",
      ]);
      expect([type, code]).toEqual([type, 1]);
      expect(stdout).toContain("SERVFAIL");
    }
  });

  live("come and go with the containers, and change with them", async () => {
    await start("guest", "--network", "shop");
    expect(await lookUp("web", "guest")).toHaveLength(1);
    await darse("rename", "guest", "friend");
    expect(await lookUp("web", "friend")).toHaveLength(1);
    expect(await lookUp("web", "guest")).toEqual([]);
    await darse("network", "disconnect", "shop", "friend");
    expect(await lookUp("web", "friend")).toEqual([]);
    await darse("rm", "-f", "friend");
  });

  live("a container of the default bridge learns names when it joins a network", async () => {
    await darse("network", "connect", "shop", "plain");
    expect(await lookUp("plain", "db")).toEqual([await addressOf("db", "shop")]);
    expect(await lookUp("web", "plain")).toEqual([await addressOf("plain", "shop")]);
  });

  live("what is asked for with --dns, --dns-search and --dns-option is in the file, and asked", async () => {
    const options = ["--dns", "127.0.0.9", "--dns-search", "corp.example", "--dns-option", "timeout:1"];
    await start("picky", "--network", "shop", ...options);
    const file = await darse("exec", "picky", "cat", "/etc/resolv.conf");
    expect(file.split("\n").slice(1)).toEqual([
      "nameserver 127.0.0.11",
      "search corp.example",
      "options timeout:1 ndots:0",
    ]);
    // Nobody listens there, in the container's own namespace: that is a failure, and the host's resolvers are left alone.
    const { stdout } = await engine.darse(["exec", "picky", "nslookup", "-type=a", "example.org"]);
    expect(stdout).toContain("SERVFAIL");
  });

  live("are answered again by the engine that follows one that was killed", async () => {
    await engine.stopDaemon("SIGKILL");
    await engine.startDaemon();
    expect(await lookUp("web", "db")).toEqual([await addressOf("db", "shop")]);
    expect(await lookUp("gold", "silver")).toEqual([await addressOf("silver", "vault")]);
  });
});

describe("nginx", () => {
  const SITE = `resolver 127.0.0.11 valid=1s;
server {
  listen 80;
  location / { set $application app; proxy_pass http://$application:8000; }
}`;
  const application = (text: string): string[] => {
    const serve = `mkdir /www; echo ${text} >/www/index.html; exec httpd -f -p 8000 -h /www`;
    return ["run", "-d", "--name", "app", "--network", "site", "busybox", "sh", "-c", serve];
  };
  let port = "";
  const page = () => fetchText(`http://127.0.0.1:${port}/`);

  beforeAll(async () => {
    await darse("network", "create", "site");
  }, 60_000);

  withServices(
    "finds its application by name, also when another takes its place",
    async () => {
      await darse("import", join(FIXTURES, "services.tar"), "services");
      const serve = `echo "$SITE" >/etc/nginx/conf.d/site.conf; rm -f /etc/nginx/sites-enabled/default; exec nginx -g "daemon off;"`;
      const options = ["--network", "site", "-p", "127.0.0.1::80", "-e", `SITE=${SITE}`];
      await darse("run", "-d", "--name", "nginx", ...options, "services", "sh", "-c", serve);
      port = (await darse("port", "nginx", "80/tcp")).split(":").at(-1) ?? "";
      expect((await eventually(page, (answer) => answer !== undefined))?.status).toBe(502);
      await darse(...application("first"));
      const first = await eventually(page, (answer) => answer?.text === "first\n");
      expect(first).toEqual({ status: 200, text: "first\n" });
      await darse("rm", "-f", "app");
      await darse(...application("second"));
      const second = await eventually(page, (answer) => answer?.text === "second\n");
      expect(second).toEqual({ status: 200, text: "second\n" });
    },
    120_000,
  );
});

describe("ports", () => {
  const serve = "mkdir /www; echo here >/www/index.html; exec httpd -f -p 80 -h /www";
  const page = async (port: string) => (await fetchText(`http://127.0.0.1:${port}/`))?.text;
  const isHere = (text: string | undefined): boolean => text === "here\n";

  async function portOf(container: string): Promise<string> {
    return /0\.0\.0\.0:(\d+)/.exec(await darse("port", container))?.[1] ?? "none";
  }

  live(
    "lead to the container when the engine is dead, when the next one lives, and when the firewall was flushed",
    async () => {
      await darse("run", "-d", "--name", "server", "-p", "80", "busybox", "sh", "-c", serve);
      const port = await portOf("server");
      expect(await eventually(() => page(port), isHere)).toBe("here\n");
      await engine.stopDaemon("SIGKILL");
      expect(await eventually(() => page(port), isHere)).toBe("here\n");
      await engine.startDaemon();
      expect(await portOf("server")).toBe(port);
      expect(await eventually(() => page(port), isHere)).toBe("here\n");
      const flush = Bun.spawnSync(["nft", "flush", "table", "inet", engine.bridge]);
      expect(flush.exitCode).toBe(0);
      expect(await eventually(() => page(port), isHere)).toBe("here\n");
    },
    60_000,
  );

  live("a range is paired port by port, and a clash names the container", async () => {
    const first = 42_000 + (process.pid % 5000) * 2;
    const range = `${first}-${first + 1}:80-81`;
    await darse("run", "-d", "--name", "paired", "-p", range, "busybox", "sleep", "1d");
    expect((await darse("port", "paired")).split("\n").toSorted()).toEqual([
      `80/tcp -> 0.0.0.0:${first}`,
      `80/tcp -> [::]:${first}`,
      `81/tcp -> 0.0.0.0:${first + 1}`,
      `81/tcp -> [::]:${first + 1}`,
    ]);
    const { code, stderr } = await engine.darse(["run", "-d", "-p", `${first}:80`, "busybox", "sleep", "1d"]);
    expect(code).toBe(125);
    expect(stderr).toContain(`Bind for 0.0.0.0:${first} failed: port is already allocated`);
    expect(stderr).toContain("container paired publishes that port");
  });

  live("darse ports names the rule of the host that keeps others out", async () => {
    await darse("run", "-d", "--name", "shut", "-p", "127.0.0.1::80", "-p", "80", "busybox", "sleep", "1d");
    const table = `${engine.bridge}host`;
    const rules = `table inet ${table} { chain keep { type filter hook forward priority 0; oifname "${engine.bridge}" drop; }; }`;
    expect(Bun.spawnSync(["nft", rules]).exitCode).toBe(0);
    try {
      const { stdout: text, stderr } = await engine.darse(["ports", "shut"]);
      expect(stderr).toBe("");
      expect(text).toMatch(/shut +80\/tcp +127\.0\.0\.1:\d+ +open +- +- +kernel/);
      expect(text).toMatch(/shut +80\/tcp +0\.0\.0\.0:\d+ +open +blocked +blocked +kernel/);
      expect(text).toContain(`${table}: inet ${table} keep: rule`);
      expect(text).toContain(`nft insert rule inet ${table} keep oifname "${engine.bridge}" accept`);
    } finally {
      Bun.spawnSync(["nft", "delete", "table", "inet", table]);
    }
    expect(await darse("ports", "shut")).toMatch(/0\.0\.0\.0:\d+ +open +open +open +kernel/);
  });
});
