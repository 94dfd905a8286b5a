import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { FIXTURES, type Output, TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

// nginx, MariaDB and a page in PHP, from Debian's packages, as people run them.

const real = needs("root", "overlay", "crun", "conmon", "nft", "docker-cli", "services");
const SERVICES = join(import.meta.dir, "fixtures/services");
const LIMIT_MS = 120_000;

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  if (!existsSync(join(FIXTURES, "services.tar"))) return;
  await docker("import", join(FIXTURES, "services.tar"), "services:latest");
  await docker("build", "-q", "-t", "shop-db", join(SERVICES, "db"));
  await docker("build", "-q", "-t", "shop-web", join(SERVICES, "web"));
}, LIMIT_MS);

afterAll(async () => {
  await engine.docker(["network", "rm", "shop"]);
  await engine[Symbol.asyncDispose]();
}, LIMIT_MS);

async function succeed(output: Promise<Output>): Promise<string> {
  const { code, stdout, stderr } = await output;
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const docker = (...args: string[]): Promise<string> => succeed(engine.docker(args));

/** Runs the database and waits until it answers. */
async function runDatabase(name: string, ...options: string[]): Promise<void> {
  await docker("run", "-d", "--name", name, ...options, "shop-db");
  const ready = "until mariadb -e 'SELECT 1' shop >/dev/null 2>&1; do sleep 0.05; done";
  await docker("exec", name, "timeout", "60", "sh", "-c", ready);
}

const sql = (name: string, text: string): Promise<Output> =>
  engine.docker(["exec", name, "mariadb", "-N", "-e", text, "shop"]);

const FILL =
  "CREATE TABLE shelf (id INT AUTO_INCREMENT PRIMARY KEY, name TEXT); INSERT INTO shelf (name) VALUES ('ink'), ('paper'), ('twine')";

real(
  "rows in a named volume outlive their container; without it they are gone",
  async () => {
    await runDatabase("first", "-v", "dbdata:/var/lib/mysql");
    await succeed(sql("first", FILL));
    await docker("rm", "-f", "first");

    await runDatabase("second", "-v", "dbdata:/var/lib/mysql");
    expect(await succeed(sql("second", "SELECT name FROM shelf ORDER BY id"))).toBe("ink\npaper\ntwine\n");
    await docker("rm", "-f", "second");

    await runDatabase("third");
    expect((await sql("third", "SELECT name FROM shelf")).stderr).toContain(
      "Table 'shop.shelf' doesn't exist",
    );
    await docker("rm", "-fv", "third");
    expect(await docker("volume", "ls", "-q")).toBe("dbdata\n");
  },
  LIMIT_MS,
);

real(
  "a page in PHP behind nginx reads the database by its name",
  async () => {
    await docker("network", "create", "shop");
    await runDatabase("shelf", "--network", "shop", "--network-alias", "db");
    await succeed(sql("shelf", FILL));
    await docker("run", "-d", "--name", "web", "--network", "shop", "-p", "127.0.0.1::80", "shop-web");
    const address = (await docker("port", "web", "80/tcp")).trim();
    expect(await page(`http://${address}/`)).toBe("ink\npaper\ntwine\n");
    await docker("rm", "-fv", "web", "shelf");
  },
  LIMIT_MS,
);

/** nginx answers as soon as it listens, and says 502 until PHP does. */
async function page(address: string): Promise<string> {
  for (let left = 600; ; left--) {
    const answer = await fetch(address).catch((error: unknown) => error);
    if (answer instanceof Response && answer.ok) return await answer.text();
    if (left === 0) throw new Error(`${address} does not answer`, { cause: answer });
    await Bun.sleep(50);
  }
}
