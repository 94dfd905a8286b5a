import { afterAll, beforeAll, expect } from "bun:test";
import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { newId } from "#base/ids.ts";
import { needs } from "../../test/needs.ts";
import type { SpecInput } from "./spec/spec-input.ts";
import { StartError } from "./start-error.ts";
import { makeBusyboxRoot, RuntimeFixture } from "./testing/runtime-fixture.ts";

const testHere = needs("root", "crun", "conmon", "busybox");

let fixture: RuntimeFixture;

beforeAll(() => {
  fixture = new RuntimeFixture();
});
afterAll(async () => await fixture[Symbol.asyncDispose]());

type Way = "run" | "exec" | "step";
const ways: readonly Way[] = ["run", "exec", "step"];

/** The stdout of `args`, started in one of the three ways there are. */
async function outputBy(
  way: Way,
  args: readonly string[],
  changes: Partial<SpecInput> = {},
): Promise<string> {
  if (way === "run") return (await fixture.output(args, changes)).stdout;
  let text = "";
  if (way === "step") {
    const onOutput = (_stream: string, data: Uint8Array) => void (text += Buffer.from(data).toString());
    const step = { id: newId(), spec: fixture.spec(args, changes), onOutput };
    await fixture.runtime.runToEnd(step, AbortSignal.timeout(10_000));
    return text;
  }
  const id = await fixture.create(["sleep", "600"], changes);
  await fixture.runtime.start(id);
  const { process } = fixture.spec(args, changes);
  const io = { tty: false, openStdin: false, detach: false };
  const exec = await fixture.runtime.exec(id, { execId: newId(), process, ...io });
  for await (const { data } of exec.attachment?.output ?? []) text += Buffer.from(data).toString();
  await exec.attachment?.[Symbol.asyncDispose]();
  await fixture.runtime.delete(id);
  return text;
}

function crunHash(): string {
  return createHash("sha256").update(readFileSync("/usr/bin/crun")).digest("hex");
}

for (const way of ways) {
  testHere(`${way}: the process has descriptors 0 to 2 alone`, async () => {
    // The fourth is the folder that ls itself reads.
    expect((await outputBy(way, ["ls", "/proc/self/fd"])).trim().split(/\s+/)).toEqual(["0", "1", "2", "3"]);
  });

  testHere(`${way}: a plain user has its groups, no capability is inheritable or ambient`, async () => {
    const user = { uid: 1000, gid: 1001, groups: [1001, 10, 29] };
    const status = await outputBy(way, ["sh", "-c", "id -u; id -g; id -G; grep Cap /proc/self/status"], {
      user,
    });
    const [uid, gid, groups, ...sets] = status.trim().split("\n");
    expect([
      uid,
      gid,
      groups
        ?.split(" ")
        .map(Number)
        .toSorted((a, b) => a - b),
    ]).toEqual(["1000", "1001", [10, 29, 1001]]);
    const values = new Map(sets.map((line) => line.split(/:\s*/) as [string, string]));
    for (const name of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
      expect([name, BigInt(`0x${values.get(name)}`)]).toEqual([name, 0n]);
    expect(BigInt(`0x${values.get("CapBnd")}`)).toBe(0xa80425fbn);
  });

  testHere(`${way}: root has Docker's capabilities and no more`, async () => {
    const status = await outputBy(way, ["grep", "Cap", "/proc/self/status"]);
    const values = new Map(
      status
        .trim()
        .split("\n")
        .map((line) => line.split(/:\s*/) as [string, string]),
    );
    for (const name of ["CapPrm", "CapEff", "CapBnd"])
      expect([name, BigInt(`0x${values.get(name)}`)]).toEqual([name, 0xa80425fbn]);
    for (const name of ["CapInh", "CapAmb"])
      expect([name, BigInt(`0x${values.get(name)}`)]).toEqual([name, 0n]);
  });

  testHere(`${way}: seccomp filters, also when the filter was learnt from an earlier container`, async () => {
    for (let round = 0; round < 3; round++) {
      expect((await outputBy(way, ["grep", "^Seccomp:", "/proc/self/status"])).trim()).toMatch(
        /^Seccomp:\s+2$/,
      );
    }
  });
}

testHere(
  "a learnt filter is the one that would have been compiled, and an unconfined container has none",
  async () => {
    const filterOf = (id: string) =>
      readFileSync(join(fixture.run, "crun", id, "seccomp.bpf")).toString("hex");
    const capabilities = { add: ["SYS_TIME"] };
    const first = await fixture.create(["true"], { capabilities });
    const second = await fixture.create(["true"], { capabilities });
    const other = await fixture.create(["true"]);
    expect(readFileSync(join(fixture.runtime.bundlePath(second), "config.json"), "utf8")).toContain(
      "seccomp_bpf_data",
    );
    expect(filterOf(second)).toBe(filterOf(first));
    expect(filterOf(other)).not.toBe(filterOf(first));
    const open = await fixture.output(["grep", "^Seccomp:", "/proc/self/status"], { seccomp: "unconfined" });
    expect(open.stdout.trim()).toMatch(/^Seccomp:\s+0$/);
  },
);

testHere(
  "the runtime's program cannot be written through a link to it (CVE-2019-5736)",
  async () => {
    const before = crunHash();
    const attack = `
    echo ready
    while :; do for e in /proc/[0-9]*/exe; do
      case "$(readlink $e 2>/dev/null)" in */crun*)
        exec 9<$e && { echo hit; n=0; while [ $n -lt 50 ]; do echo x > /proc/$$/fd/9 && echo WROTE; n=$((n+1)); done; } ;;
      esac
    done; done 2>/dev/null`;
    const id = await fixture.create(["sh", "-c", attack], { namespaces: { pid: "private" } });
    await using attachment = await fixture.runtime.attach(id);
    await fixture.runtime.start(id);
    let seen = "";
    const reading = (async () => {
      for await (const { data } of attachment.output) seen += Buffer.from(data).toString();
    })();
    for (let round = 0; round < 25; round++) {
      const { process } = fixture.spec(["true"]);
      const io = { tty: false, openStdin: false, detach: true };
      const exec = await fixture.runtime.exec(id, { execId: newId(), process, ...io });
      await exec.exited;
    }
    await fixture.runtime.kill(id, "KILL");
    await reading;
    expect(seen).toContain("ready");
    expect(seen).not.toContain("WROTE");
    expect(crunHash()).toBe(before);
  },
  30_000,
);

testHere("an entry point that is the runtime's own program does not write it (CVE-2019-5736)", async () => {
  const before = crunHash();
  const script = join(fixture.rootfs, "bin/self");
  writeFileSync(script, "#!/proc/self/exe --version\n");
  chmodSync(script, 0o755);
  await fixture.output(["self"]).catch(() => undefined);
  expect(crunHash()).toBe(before);
});

testHere(
  "a working directory that leads to a descriptor stays inside the root (CVE-2024-21626)",
  async () => {
    const canary = join(fixture.directory, "canary");
    writeFileSync(canary, "host");
    for (let fd = 0; fd < 16; fd++) {
      const link = join(fixture.rootfs, `fd-${fd}`);
      symlinkSync(`/proc/self/fd/${fd}`, link);
      const ups = "../".repeat(12);
      const read = ["sh", "-c", `cat ${ups}${canary.slice(1)} ${canary} ../canary ../../canary`];
      for (const way of ways) {
        const text = await outputBy(way, read, { cwd: `/fd-${fd}` }).catch((error: unknown) => {
          expect(error).toBeInstanceOf(Error);
          return "";
        });
        expect([way, fd, text]).toEqual([way, fd, ""]);
      }
      rmSync(link);
    }
  },
  60_000,
);

const targets = (canary: string): [string, string][] => [
  ["absolute", canary],
  ["relative", `../../../../../../../../../..${canary}`],
  ["looping", "loop"],
  ["to proc", "/proc/1/root"],
  ["dangling", "/nowhere"],
];

for (const [folder, way] of ["dev", "proc", "sys", "etc", "run"].flatMap(
  (name) =>
    [
      [name, "run"],
      [name, "step"],
    ] as const,
)) {
  testHere(
    `${way}: an image whose /${folder} is a symlink touches nothing of the host`,
    async () => {
      const canary = join(fixture.directory, `canary-${folder}-${way}`);
      mkdirSync(canary);
      writeFileSync(join(canary, "file"), "host");
      for (const [name, target] of targets(canary)) {
        const rootfs = join(fixture.directory, `root-${folder}-${way}-${name.replace(" ", "-")}`);
        makeBusyboxRoot(rootfs);
        renameSync(join(rootfs, folder), join(rootfs, `${folder}-aside`));
        symlinkSync(target === "loop" ? folder : target, join(rootfs, folder));
        const mountsBefore = hostMounts();
        const changes: Partial<SpecInput> = {
          rootfs,
          mounts: [
            { type: "bind", source: join(fixture.rootfs, "etc/passwd"), destination: `/${folder}/hosts` },
          ],
        };
        const attack = ["sh", "-c", `echo x > /${folder}/file; echo x > ${canary}/file`];
        await outputBy(way, attack, changes).catch((error) => {
          expect(error).toBeInstanceOf(StartError);
        });
        expect([name, readdirSync(canary), readFileSync(join(canary, "file"), "utf8")]).toEqual([
          name,
          ["file"],
          "host",
        ]);
        expect([name, hostMounts()]).toEqual([name, mountsBefore]);
      }
    },
    30_000,
  );
}

testHere("release agents cannot be written and cgroup v1 cannot be mounted", async () => {
  const attempt =
    "mount -t cgroup -o pids x /tmp; for f in $(find /sys/fs/cgroup -name release_agent 2>/dev/null); do echo x > $f && echo WROTE; done; mkdir /sys/fs/cgroup/pids/x && echo MADE";
  const { stdout } = await fixture.output(["sh", "-c", attempt]);
  expect(stdout).toBe("");
});

testHere("masked paths are empty and read-only paths refuse", async () => {
  const look =
    "cat /proc/kcore /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/panic || echo refused";
  const { stdout } = await fixture.output(["sh", "-c", look]);
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => line.trim()),
  ).toEqual(["0", "0", "refused"]);
});

testHere("a deep read-only bind is read-only in its depth", async () => {
  const source = join(fixture.directory, "deep");
  mkdirSync(join(source, "inner"), { recursive: true });
  fixture.kernel.mount({ source: "tmpfs", target: join(source, "inner"), type: "tmpfs" });
  try {
    const mounts = [{ type: "bind", source, destination: "/deep", isReadOnly: true }] as const;
    const { stdout } = await fixture.output(
      ["sh", "-c", "echo x > /deep/a || echo top; echo x > /deep/inner/a || echo inner"],
      { mounts },
    );
    expect(stdout).toBe("top\ninner\n");
  } finally {
    fixture.kernel.unmount(join(source, "inner"));
  }
});

/** Mount points of the host, less those of tests that run beside this one. */
function hostMounts(): string[] {
  return fixture.kernel
    .mounts()
    .map(({ target }) => target)
    .filter((target) => target.startsWith(fixture.directory));
}
