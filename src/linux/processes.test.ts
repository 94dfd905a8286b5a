import { expect, test } from "bun:test";
import { mkdtempDisposableSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { bindSeqpacket } from "./testdata/seqpacket-server.ts";
import { closeFd, openPipe, readFd, writeFd } from "./file-descriptor.ts";
import { spawn } from "./process.ts";
import { openKernel } from "./real-kernel.ts";

const kernel = openKernel();

test("a pidfd resolves when the process ends, not before", async () => {
  const { readEnd, writeEnd } = openPipe();
  const child = spawn(["sh", "-c", "read line"], { stdin: readEnd });
  closeFd(readEnd);
  using pidfd = kernel.openPidfd(child.pid);
  const exited = pidfd?.exited().then(() => "ended");
  expect(await Promise.race([exited, Bun.sleep(0).then(() => "still running")])).toBe("still running");
  closeFd(writeEnd);
  expect(await exited).toBe("ended");
});

test("a pidfd of a process that has ended already resolves", async () => {
  const child = spawn(["true"]);
  using pidfd = kernel.openPidfd(child.pid);
  await child.exited;
  await pidfd?.exited();
  expect(pidfd?.kill(9)).toBe(false);
});

test("100 processes end and each pidfd tells, with no descriptor left", async () => {
  const before = readdirSync("/proc/self/fd").length;
  const children = Array.from({ length: 100 }, () => spawn(["true"]));
  const pidfds = children.map(({ pid }) => kernel.openPidfd(pid));
  await Promise.all(pidfds.map((pidfd) => pidfd?.exited()));
  await Promise.all(children.map(({ exited }) => exited));
  for (const pidfd of pidfds) pidfd?.[Symbol.dispose]();
  expect(readdirSync("/proc/self/fd").length).toBe(before);
});

test("a pidfd disposed while its process runs leaves no descriptor", async () => {
  const child = spawn(["sleep", "60"]);
  const before = readdirSync("/proc/self/fd").length;
  const pidfd = kernel.openPidfd(child.pid);
  void pidfd?.exited();
  await Bun.sleep(0);
  pidfd?.[Symbol.dispose]();
  await Bun.sleep(0);
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  child.kill(9);
  await child.exited;
});

test("a lock is refused while another process holds it", async () => {
  using folder = mkdtempDisposableSync("/tmp/darse-lock-");
  const path = join(folder.path, "lock");
  const holder = spawn(["flock", path, "sh", "-c", "echo held; read line"], {
    stdin: "pipe",
    stdout: "pipe",
  });
  await holder.stdout?.getReader().read();
  expect(kernel.flock(path)).toBeUndefined();
  await holder.stdin?.end();
  await holder.exited;
  using lock = kernel.flock(path);
  expect(lock).toBeDefined();
});

for (const depth of [0, 12]) {
  test(`connectSeqpacket() connects to a path ${depth === 0 ? "that fits" : "longer than an address"} `, () => {
    using folder = mkdtempDisposableSync("/tmp/darse-socket-");
    const path = join(folder.path, "long-folder-name/".repeat(depth), "attach");
    using server = bindSeqpacket(path);
    const fd = kernel.connectSeqpacket(path);
    using peer = server.accept();
    peer.send("one");
    peer.send("two");
    const buffer = new Uint8Array(100);
    expect(Buffer.from(buffer.subarray(0, readFd(fd, buffer))).toString()).toBe("one");
    expect(Buffer.from(buffer.subarray(0, readFd(fd, buffer))).toString()).toBe("two");
    expect(() => readFd(fd, buffer)).toThrow("EAGAIN");
    closeFd(fd);
  });
}

test("connectSeqpacket() is refused by a stream socket", async () => {
  using folder = mkdtempDisposableSync("/tmp/darse-socket-");
  const path = join(folder.path, "stream");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  expect(() => kernel.connectSeqpacket(path)).toThrow("EPROTOTYPE");
  server.close();
});

test("connectSeqpacket() refuses a name that no address can hold", () => {
  expect(() => kernel.connectSeqpacket(`/tmp/${"x".repeat(200)}`)).toThrow("ENAMETOOLONG");
});

test("a pipe carries bytes and is not inherited", async () => {
  const { readEnd, writeEnd } = openPipe();
  writeFd(writeEnd, Buffer.from("hello"));
  const child = spawn(["sh", "-c", `test ! -e /proc/self/fd/${writeEnd}`]);
  expect(await child.exited).toBe(0);
  closeFd(writeEnd);
  const buffer = new Uint8Array(10);
  expect(readFd(readEnd, buffer)).toBe(5);
  expect(readFd(readEnd, buffer)).toBe(0);
  closeFd(readEnd);
});
