#!/usr/bin/env bun
// Times an engine through its own command line and its API; prints one `name value unit` line a figure (medians).
// The same lines can be had from any engine that speaks Docker's words:
//   npm run bench
//   npm run bench -- --socket /run/docker.sock --cli "docker"
//   npm run bench -- --socket /run/podman/podman.sock --cli "podman"
import { execFileSync, spawnSync } from "node:child_process";
import { request } from "node:http";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    socket: { type: "string", default: "/run/darse/darse.sock" },
    cli: { type: "string", default: "dist/darse" },
    image: { type: "string", default: "busybox" },
    runs: { type: "string", default: "20" },
  },
});
const [program = "", ...programArgs] = flags.cli.split(" ");
const runs = Number(flags.runs);

function print(name: string, value: number, unit: string): void {
  process.stdout.write(`${name} ${value.toFixed(2)} ${unit}\n`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Wall time of a command in ms. @throws when it fails: a figure of failures is worth nothing */
function timeCommand(command: string, args: readonly string[]): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  const took = performance.now() - from;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} gave ${status}: ${stderr.toString()}`);
  return took;
}

function timed(name: string, args: readonly string[]): void {
  const one = (): number => timeCommand(program, [...programArgs, ...args]);
  one();
  one();
  print(name, median(Array.from({ length: runs }, one)), "ms");
}

function call(method: string, path: string, body?: object): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const sent = body === undefined ? "" : JSON.stringify(body);
  const headers = {
    host: "engine",
    ...(sent && { "content-type": "application/json", "content-length": String(sent.length) }),
  };
  const outgoing = request(
    { socketPath: flags.socket, method, path: `/v1.41${path}`, headers },
    (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (part: string) => (text += part));
      incoming.on("end", () => resolve({ status: incoming.statusCode ?? 0, text }));
      incoming.on("error", reject);
    },
  );
  outgoing.on("error", reject);
  outgoing.end(sent);
  return promise;
}

async function expectStatus(wanted: number, method: string, path: string, body?: object): Promise<string> {
  const { status, text } = await call(method, path, body);
  if (status !== wanted) throw new Error(`${method} ${path} gave ${status}: ${text}`);
  return text;
}

/** A container's whole life over the API. */
async function life(): Promise<void> {
  const created: unknown = JSON.parse(
    await expectStatus(201, "POST", "/containers/create", { Image: flags.image, Cmd: ["true"] }),
  );
  const id = (created as { Id: string }).Id;
  await expectStatus(204, "POST", `/containers/${id}/start`);
  await expectStatus(200, "POST", `/containers/${id}/wait`);
  await expectStatus(204, "DELETE", `/containers/${id}`);
}

async function churn(name: string, lives: number, atOnce: number): Promise<void> {
  let left = lives;
  const from = performance.now();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await life();
    }),
  );
  print(name, lives / ((performance.now() - from) / 1000), "containers/s");
}

print("fork_exec_true", median(Array.from({ length: 50 }, () => timeCommand("true", []))), "ms");
timed("cli_help", ["--help"]);
timed("run_rm_bridge", ["run", "--rm", flags.image, "true"]);
timed("run_rm_none", ["run", "--rm", "--network", "none", flags.image, "true"]);

const keeper = execFileSync(program, [...programArgs, "run", "-d", flags.image, "sleep", "1d"], {
  encoding: "utf8",
}).trim();
try {
  timed("exec_true", ["exec", keeper, "true"]);
  timed("ps", ["ps"]);
  await churn("life_one_at_a_time", 20, 1);
  await churn("life_eight_at_once", 40, 8);
} finally {
  execFileSync(program, [...programArgs, "rm", "-f", keeper]);
}
