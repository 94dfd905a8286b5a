import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { run, TestEngine } from "../engine.ts";
import { needs } from "../needs.ts";

// Docker Compose, unmodified, on our socket: its own calls for containers, networks and volumes.

const real = needs("root", "overlay", "crun", "conmon", "nft", "busybox", "docker-cli", "docker-compose");
const COMPOSE = process.env["DARSE_TEST_COMPOSE"] ?? "docker-compose";
const FILE = join(import.meta.dir, "compose.yaml");
const LIMIT_MS = 120_000;

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, LIMIT_MS);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, LIMIT_MS);

async function compose(...args: string[]): Promise<string> {
  const env = { DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: engine.folder };
  const { code, stdout, stderr } = await run(COMPOSE, ["-f", FILE, "-p", "shelf", ...args], { env });
  expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

const volumes = async (): Promise<string> => (await engine.docker(["volume", "ls", "-q"])).stdout;
const networks = async (): Promise<string> =>
  (await engine.docker(["network", "ls", "-q", "-f", "label=com.docker.compose.project=shelf"])).stdout;

real(
  "docker compose up, up again, down and down -v",
  async () => {
    await compose("up", "-d");
    const [before] = (await compose("ps", "-q", "store")).split("\n");
    expect(await compose("exec", "-T", "reader", "sh", "-c", "until cat /data/table; do :; done")).toBe(
      "row\n",
    );
    await compose("up", "-d");
    expect((await compose("ps", "-q", "store")).split("\n")[0]).toBe(before);
    await compose("down", "-t", "0");
    expect([await volumes(), await networks()]).toEqual(["shelf_data\n", ""]);

    await compose("up", "-d", "--force-recreate");
    const rows = "until [ $(wc -l </data/table) = 2 ]; do :; done; cat /data/table";
    expect(await compose("exec", "-T", "reader", "sh", "-c", rows)).toBe("row\nrow\n");
    await compose("down", "-v", "-t", "0");
    expect([await volumes(), await networks()]).toEqual(["", ""]);
  },
  LIMIT_MS,
);
