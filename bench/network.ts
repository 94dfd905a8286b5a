#!/usr/bin/env bun
// Times the network of a running engine; prints one `name value unit` line a figure. Needs root, for the containers'
// network namespaces: client and server run in them as they are, so that nothing but the network is timed.
//   npm run bench:network -- --socket /run/darse/darse.sock --cli "dist/darse"
import { execFileSync, spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { parseArgs } from "node:util";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    socket: { type: "string", default: "/run/darse/darse.sock" },
    cli: { type: "string", default: "dist/darse" },
    image: { type: "string", default: "busybox" },
    rounds: { type: "string", default: "5" },
  },
});
const SECONDS = 2;
const NETWORK = "bench-network";
const PORT = 80;

function print(name: string, value: number, unit: string): void {
  process.stdout.write(`${name} ${value.toFixed(2)} ${unit}\n`);
}

function engine(...args: string[]): string {
  const [program = "", ...first] = flags.cli.split(" ");
  const env = { ...process.env, DOCKER_HOST: `unix://${flags.socket}` };
  return execFileSync(program, [...first, ...args], { encoding: "utf8", env }).trim();
}

/** Runs this file in another role, inside a network namespace or (`undefined`) on the host. */
function role(pid: string | undefined, ...args: string[]): string[] {
  const program = [process.execPath, import.meta.filename, ...args];
  return pid === undefined ? program : ["nsenter", `--net=/proc/${pid}/ns/net`, ...program];
}

/** Takes all that comes. */
function sink(): void {
  createServer((socket) => {
    socket.on("data", () => undefined);
    socket.on("error", () => undefined);
  }).listen(PORT, "0.0.0.0", () => process.stdout.write("ready\n"));
}

/** Sends for a while; prints Gbit/s. */
function pour(address: string, port: number): void {
  const chunk = Buffer.alloc(1024 * 1024);
  const socket = connect(port, address, () => {
    const from = performance.now();
    const write = (): void => {
      while (performance.now() - from < SECONDS * 1000) if (!socket.write(chunk)) return;
      const bits = (socket.bytesWritten - socket.writableLength) * 8;
      process.stdout.write(`${bits / (performance.now() - from) / 1e6}\n`);
      process.exit();
    };
    socket.on("drain", write);
    write();
  });
}

/** Keeps so many questions on the way; prints answers a second and the 99th percentile in ms. */
async function ask(name: string, atOnce: number): Promise<void> {
  const labels = name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]);
  const question = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, 1, 0, 1]);
  const sentAt = new Float64Array(0x10000);
  const took: number[] = [];
  const from = performance.now();
  let id = 0;
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.11", port: 53 },
    socket: {
      data(_socket, answer) {
        const now = performance.now();
        took.push(now - (sentAt[answer.readUInt16BE(0)] ?? 0));
        if (now - from < SECONDS * 1000) return next();
        took.sort((left, right) => left - right);
        const rate = took.length / ((now - from) / 1000);
        process.stdout.write(`${rate} ${took[Math.floor(took.length * 0.99)]}\n`);
        process.exit();
      },
    },
  });
  function next(): void {
    id = (id + 1) & 0xffff;
    question.writeUInt16BE(id, 0);
    sentAt[id] = performance.now();
    socket.send(question);
  }
  for (let i = 0; i < atOnce; i++) next();
}

function median(values: readonly number[]): number {
  return values.toSorted((left, right) => left - right)[values.length >> 1] ?? Number.NaN;
}

async function measure(): Promise<void> {
  engine("network", "create", NETWORK);
  const options = ["-d", "--network", NETWORK, "--name", NETWORK, "-p", `127.0.0.1::${PORT}`];
  engine("run", ...options, "-p", String(PORT), flags.image, "sleep", "1d");
  const pid = engine("inspect", "-f", "{{.State.Pid}}", NETWORK);
  const own = engine("inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", NETWORK);
  const published = engine("port", NETWORK, `${PORT}/tcp`);
  const port = /0\.0\.0\.0:(\d+)/.exec(published)?.[1] ?? "";
  const [command = "", ...args] = role(pid, "sink");
  const server = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await new Promise((resolve) => server.stdout.once("data", resolve));
    for (const atOnce of [1, 16]) {
      const rounds = Array.from({ length: Number(flags.rounds) }, () => {
        const [program = "", ...rest] = role(pid, "ask", NETWORK, String(atOnce));
        return execFileSync(program, rest, { encoding: "utf8" }).split(" ").map(Number);
      });
      print(`dns_answers_${atOnce}_at_once`, median(rounds.map(([rate = 0]) => rate)), "/s");
      print(`dns_p99_${atOnce}_at_once`, median(rounds.map(([, p99 = 0]) => p99)), "ms");
    }
    const host = Object.values(networkInterfaces())
      .flat()
      .find((one) => one && !one.internal && one.family === "IPv4")?.address;
    const ways = [
      ["container_address", own, String(PORT)],
      ["published_by_loopback", "127.0.0.1", port],
      ["published_by_host_address", host ?? "", port],
    ] as const;
    const figures = new Map<string, number[]>(ways.map(([name]) => [name, []]));
    // Interleaved, as the machine's own speed drifts.
    for (let round = 0; round < Number(flags.rounds); round++) {
      for (const [name, address, at] of ways) {
        const [program = "", ...rest] = role(undefined, "pour", address, at);
        figures.get(name)?.push(Number(execFileSync(program, rest, { encoding: "utf8" })));
      }
    }
    for (const [name, values] of figures) print(`tcp_${name}`, median(values), "Gbit/s");
  } finally {
    server.kill();
    engine("rm", "-f", NETWORK);
    engine("network", "rm", NETWORK);
  }
}

const [what, ...rest] = positionals;
if (what === "sink") sink();
else if (what === "pour") pour(rest[0] ?? "", Number(rest[1]));
else if (what === "ask") await ask(rest[0] ?? "", Number(rest[1]));
else await measure();
