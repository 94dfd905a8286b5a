import { expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { needs } from "../../test/needs.ts";
import { MNT_DETACH, MS_BIND, MS_PRIVATE } from "./constants.ts";
import type { Kernel } from "./kernel.ts";
import { spawn } from "./process.ts";
import { openKernel } from "./real-kernel.ts";
import { recordingKernel } from "./recording-kernel.ts";

interface Subject {
  readonly kernel: Kernel;
  /** A process that runs until it is killed; its pid. */
  readonly start: () => number;
}

/** One suite for the kernel and its fake: a fake that fails it is no fake. */
function kernelSuite(
  what: string,
  { open, check }: { open: () => Subject; check: ReturnType<typeof needs> },
): void {
  const fact = (name: string, work: (subject: Subject, folder: string) => Promise<void> | void): void => {
    check(`${what}: ${name}`, async () => {
      using folder = mkdtempDisposableSync("/tmp/darse-kernel-");
      await work(open(), folder.path);
    });
  };

  fact("a mount is in the table until it is unmounted", ({ kernel }, folder) => {
    kernel.mount({ source: "none", target: folder, type: "tmpfs", data: "size=1m" });
    expect(kernel.mounts().findLast(({ target }) => target === folder)).toMatchObject({ type: "tmpfs" });
    kernel.unmount(folder, MNT_DETACH);
    expect(kernel.mounts().some(({ target }) => target === folder)).toBe(false);
  });

  fact("of two mounts on one target the later is unmounted first", ({ kernel }, folder) => {
    for (const source of ["first", "second"]) kernel.mount({ source, target: folder, type: "tmpfs" });
    kernel.unmount(folder, MNT_DETACH);
    expect(
      kernel
        .mounts()
        .filter(({ target }) => target === folder)
        .map(({ source }) => source),
    ).toEqual(["first"]);
    kernel.unmount(folder, MNT_DETACH);
  });

  fact("a relative source is read against cwd, and our own stays", ({ kernel }, folder) => {
    mkdirSync(join(folder, "source"));
    mkdirSync(join(folder, "target"));
    const before = process.cwd();
    kernel.mount({ source: "source", target: join(folder, "target"), flags: MS_BIND, cwd: folder });
    expect(process.cwd()).toBe(before);
    expect(readlinkSync("/proc/self/cwd")).toBe(before);
    kernel.unmount(join(folder, "target"));
  });

  const refusedMounts: [string, string, (kernel: Kernel, folder: string) => void][] = [
    [
      "a target that is not there",
      "ENOENT",
      (kernel, folder) => kernel.mount({ source: "n", target: `${folder}/x`, type: "tmpfs" }),
    ],
    [
      "a bind source that is not there",
      "ENOENT",
      (kernel, folder) => kernel.mount({ source: `${folder}/x`, target: folder, flags: MS_BIND }),
    ],
    [
      "more than a page of data",
      "E2BIG",
      (kernel, folder) =>
        kernel.mount({ source: "n", target: folder, type: "tmpfs", data: "x".repeat(4096) }),
    ],
    [
      "propagation of what is no mount",
      "EINVAL",
      (kernel, folder) => kernel.mount({ source: "none", target: folder, flags: MS_PRIVATE }),
    ],
    ["unmounting what is no mount", "EINVAL", (kernel, folder) => kernel.unmount(folder)],
    ["unmounting what is not there", "ENOENT", (kernel, folder) => kernel.unmount(`${folder}/x`)],
  ];
  for (const [name, code, call] of refusedMounts) {
    fact(`${name} is refused with ${code}`, ({ kernel }, folder) => {
      expect(() => call(kernel, folder)).toThrow(code);
      expect(kernel.mounts().some(({ target }) => target.startsWith(folder))).toBe(false);
    });
  }

  fact("a network namespace lives from creation to removal", ({ kernel }, folder) => {
    const path = join(folder, "net");
    kernel.createNetworkNamespace(path);
    expect(kernel.mounts().findLast(({ target }) => target === path)).toMatchObject({ type: "nsfs" });
    expect(kernel.inNetworkNamespace(path, () => 42)).toBe(42);
    kernel.removeNetworkNamespace(path);
    expect(existsSync(path)).toBe(false);
    kernel.removeNetworkNamespace(path);
    expect(() => kernel.inNetworkNamespace(path, () => 42)).toThrow("ENOENT");
  });

  fact("a network namespace is not made over a file", ({ kernel }, folder) => {
    const path = join(folder, "net");
    writeFileSync(path, "");
    expect(() => kernel.createNetworkNamespace(path)).toThrow("EEXIST");
    expect(() => kernel.createNetworkNamespace(join(folder, "no/net"))).toThrow("ENOENT");
    expect(() => kernel.inNetworkNamespace(path, () => 1)).toThrow("EINVAL");
    kernel.removeNetworkNamespace(path);
    expect(existsSync(path)).toBe(false);
  });

  fact("work in a namespace is not nested and not asynchronous", ({ kernel }, folder) => {
    const path = join(folder, "net");
    kernel.createNetworkNamespace(path);
    const enter = (): number => kernel.inNetworkNamespace(path, () => 1);
    expect(() => kernel.inNetworkNamespace(path, enter)).toThrow("from within another");
    expect(() => kernel.inNetworkNamespace(path, () => Promise.resolve())).toThrow("synchronous");
    expect(enter()).toBe(1);
    kernel.removeNetworkNamespace(path);
  });

  fact("an attribute comes back as it was set", ({ kernel }, folder) => {
    kernel.setXattr(folder, "trusted.overlay.opaque", Buffer.from("y"));
    expect(kernel.getXattr(folder, "trusted.overlay.opaque")).toEqual(Uint8Array.of(121));
    expect(kernel.getXattr(folder, "trusted.other")).toBeUndefined();
    expect(kernel.listXattrs(folder)).toEqual(["trusted.overlay.opaque"]);
    expect(() => kernel.listXattrs(`${folder}/x`)).toThrow("ENOENT");
  });

  fact("a directory is flushed, a file is refused as one", ({ kernel }, folder) => {
    kernel.fsyncDirectory(folder);
    writeFileSync(join(folder, "file"), "");
    expect(() => kernel.fsyncDirectory(join(folder, "file"))).toThrow("ENOTDIR");
  });

  fact("a lock is held by one until it is disposed", ({ kernel }, folder) => {
    const path = join(folder, "lock");
    const first = kernel.flock(path);
    expect(first).toBeDefined();
    expect(kernel.flock(path)).toBeUndefined();
    first?.[Symbol.dispose]();
    using second = kernel.flock(path);
    expect(second).toBeDefined();
  });

  fact("a killed process is seen to exit, and is gone", async ({ kernel, start }) => {
    const pid = start();
    expect(kernel.isAlive(pid)).toBe(true);
    using pidfd = kernel.openPidfd(pid);
    expect(kernel.kill(pid, 0)).toBe(true);
    expect(pidfd?.kill(9)).toBe(true);
    await pidfd?.exited();
    expect(kernel.isAlive(pid)).toBe(false);
  });

  fact("a process that never was can not be killed", ({ kernel }) => {
    expect(kernel.kill(0x3fff_fff0, 9)).toBe(false);
    expect(kernel.isAlive(0x3fff_fff0)).toBe(false);
    expect(kernel.openPidfd(0x3fff_fff0)).toBeUndefined();
  });

  fact("a pid that would name a group is refused", ({ kernel }) => {
    for (const pid of [0, -1]) {
      expect(() => kernel.kill(pid, 0)).toThrow("EINVAL");
      expect(kernel.isAlive(pid)).toBe(false);
    }
  });

  fact("a limit above the hard one is cut to it", ({ kernel }) => {
    const { hard } = kernel.limit("nofile");
    expect(kernel.setLimit("nofile", { soft: hard, hard })).toEqual({ soft: hard, hard });
  });

  fact("a socket that is not there is refused with ENOENT", ({ kernel }, folder) => {
    expect(() => kernel.connectSeqpacket(join(folder, "attach"))).toThrow("ENOENT");
  });

  fact("a setting is read, and one that does not exist is refused", ({ kernel }) => {
    const before = kernel.readSysctl("net.ipv4.ip_forward");
    kernel.writeSysctl("net.ipv4.ip_forward", before);
    expect(kernel.readSysctl("net.ipv4.ip_forward")).toBe(before);
    expect(() => kernel.readSysctl("net.ipv4.no_such_setting")).toThrow("ENOENT");
  });
}

kernelSuite("the kernel", {
  check: needs("root"),
  open: () => ({ kernel: openKernel(), start: () => spawn(["sleep", "60"]).pid }),
});

kernelSuite("the fake", {
  check: test,
  open() {
    const { kernel, processes } = recordingKernel({ sysctls: { "net.ipv4.ip_forward": "0" } });
    return { kernel, start: () => processes.start() };
  },
});

test("the fake records what it was asked, the refused calls too", () => {
  const { kernel, calls } = recordingKernel();
  expect(() => kernel.unmount("/no/such", MNT_DETACH)).toThrow("ENOENT");
  kernel.becomeSubreaper();
  expect(calls).toEqual([["unmount", "/no/such", MNT_DETACH], ["becomeSubreaper"]]);
});

needs("root")("the thread is back in the host's namespace after each move, failed work included", () => {
  using folder = mkdtempDisposableSync("/tmp/darse-kernel-");
  const kernel = openKernel();
  const here = (): string => readlinkSync("/proc/thread-self/ns/net");
  const home = here();
  const path = join(folder.path, "net");
  kernel.createNetworkNamespace(path);
  expect(here()).toBe(home);
  const inside = kernel.inNetworkNamespace(path, here);
  expect(inside).not.toBe(home);
  const fail = (): never => {
    throw new Error("failed inside");
  };
  expect(() => kernel.inNetworkNamespace(path, fail)).toThrow("failed inside");
  expect(here()).toBe(home);
  kernel.removeNetworkNamespace(path);
});

needs("root")("a new network namespace holds lo alone, and it is up", () => {
  using folder = mkdtempDisposableSync("/tmp/darse-kernel-");
  const kernel = openKernel();
  const path = join(folder.path, "net");
  kernel.createNetworkNamespace(path);
  const read = (file: string): string =>
    kernel.inNetworkNamespace(path, () => readFileSync(`/proc/thread-self/net/${file}`, "utf8"));
  expect(
    read("dev")
      .match(/^\s*\w+:/gm)
      ?.map((name) => name.trim()),
  ).toEqual(["lo:"]);
  expect(read("if_inet6")).toContain("00000000000000000000000000000001");
  kernel.removeNetworkNamespace(path);
});

needs("root")("1,000 namespaces entered leave no descriptor behind", () => {
  using folder = mkdtempDisposableSync("/tmp/darse-kernel-");
  const kernel = openKernel();
  const path = join(folder.path, "net");
  kernel.createNetworkNamespace(path);
  const before = readdirSync("/proc/self/fd").length;
  for (let round = 0; round < 1000; round += 1) kernel.inNetworkNamespace(path, () => round);
  expect(readdirSync("/proc/self/fd").length).toBe(before);
  kernel.removeNetworkNamespace(path);
});

needs("root")("overlay mounts 120 layers by short relative names", () => {
  using folder = mkdtempDisposableSync("/tmp/darse-kernel-");
  const kernel = openKernel();
  const layers = Array.from({ length: 120 }, (_, index) => `l${index}`);
  for (const name of [...layers, "upper", "work", "merged"]) mkdirSync(join(folder.path, name));
  writeFileSync(join(folder.path, "l119/bottom"), "");
  const target = join(folder.path, "merged");
  kernel.mount({
    source: "overlay",
    target,
    type: "overlay",
    data: `lowerdir=${layers.join(":")},upperdir=upper,workdir=work`,
    cwd: folder.path,
  });
  expect(existsSync(join(target, "bottom"))).toBe(true);
  kernel.unmount(target);
});
