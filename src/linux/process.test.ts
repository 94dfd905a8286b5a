import { expect, test } from "bun:test";
import { closeFd, openPipe, readFd } from "./file-descriptor.ts";
import { run, spawn } from "./process.ts";
import { selfCommand } from "./self.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

test("run() gives input, takes output, errors and the exit code", async () => {
  const result = await run(["sh", "-c", "cat; echo oops >&2; exit 3"], { input: "hello" });
  expect({ ...result, stdout: text(result.stdout) }).toEqual({
    exitCode: 3,
    stdout: "hello",
    stderr: "oops\n",
  });
});

test("run() tells the end by a signal as 128 and its number", async () => {
  expect((await run(["sh", "-c", "kill -TERM $$"])).exitCode).toBe(143);
});

test("run() gives the environment and folder asked for, and no other", async () => {
  const { stdout } = await run(["sh", "-c", "pwd; env | grep -v ^PWD= | grep -v ^_="], {
    env: { A: "1" },
    cwd: "/usr",
  });
  expect(text(stdout)).toBe("/usr\nA=1\n");
});

test("a program in a system folder is found whatever PATH says", async () => {
  expect((await run(["ldconfig", "--version"], { env: { PATH: "/nowhere" } })).exitCode).toBe(0);
});

const refused: [string, string[], object, string][] = [
  [
    "a program that is not installed",
    ["darse-no-such-program"],
    {},
    "Cannot run darse-no-such-program: it is not installed",
  ],
  ["a path that is not there", ["/no/such/crun"], {}, "Cannot run crun: it is not installed"],
  [
    "a folder that is not there",
    ["true"],
    { cwd: "/no/such" },
    "Cannot run true in /no/such: there is no such folder",
  ],
  [
    "too much output",
    ["sh", "-c", "yes"],
    { maxOutputBytes: 1000 },
    "Cannot run sh: it wrote more than 1000 bytes",
  ],
  [
    "too many complaints",
    ["sh", "-c", "yes >&2"],
    { maxOutputBytes: 1000 },
    "Cannot run sh: it wrote more than 1000 bytes",
  ],
  [
    "a signal fired already",
    ["true"],
    { signal: AbortSignal.abort() },
    "Cannot finish true: it was cancelled",
  ],
];

for (const [what, command, options, message] of refused) {
  test(`run() refuses ${what}`, async () => {
    await expect(run(command, options)).rejects.toThrow(message);
  });
}

test("a missing program names the package that holds it", async () => {
  await expect(run(["/no/such/nft"])).rejects.toMatchObject({
    kind: "unavailable",
    hint: "apt-get install --no-install-recommends -y nftables",
  });
});

test("run() ends at its signal, though a grandchild holds the pipe", async () => {
  const controller = new AbortController();
  const running = run(["sh", "-c", "sleep 2 & echo $!; wait"], { signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(running).rejects.toMatchObject({ kind: "cancelled" });
});

test("a child has the descriptors asked for and no others", async () => {
  const { readEnd, writeEnd } = openPipe();
  const child = spawn(["sh", "-c", "ls /proc/$$/fd >&3"], { fds: [writeEnd] });
  closeFd(writeEnd);
  expect(await child.exited).toBe(0);
  const buffer = new Uint8Array(100);
  const descriptors = text(buffer.subarray(0, readFd(readEnd, buffer)))
    .trim()
    .split("\n")
    .map(Number);
  // a shell keeps what it redirects at 10
  expect(descriptors.filter((fd) => fd !== 10).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3]);
  closeFd(readEnd);
});

test("selfCommand() runs this program again", () => {
  const [bun, script, ...args] = selfCommand("worker", "unpack");
  expect(bun).toBe(process.execPath);
  expect(script).toEndWith("/src/main.ts");
  expect(args).toEqual(["worker", "unpack"]);
});
