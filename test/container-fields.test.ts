import { existsSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { cgroupRoots } from "#linux/cgroups.ts";
import { openKernel } from "#linux/real-kernel.ts";
import { TestEngine } from "./engine.ts";

// Every field of Config and HostConfig shows its effect inside the container, or is refused by its name.

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  const { docker } = { docker: (...args: string[]) => engine.docker(args) };
  await docker(
    "run",
    "-d",
    "--name",
    "donor",
    "--ipc",
    "shareable",
    "--expose",
    "5432",
    "-e",
    "SECRET=s3",
    ...DONOR,
  );
  await docker("run", "--rm", "-v", "fields:/v", "busybox", "sh", "-c", FILL_VOLUME);
  await writeFile(join(engine.folder, "no-chmod.json"), JSON.stringify(NO_CHMOD));
  await writeFile(join(engine.folder, "file"), "content\n");
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  for (const root of cgroupRoots(openKernel().mounts())) {
    const parent = join(root, "darse-fields");
    if (existsSync(parent)) rmdirSync(parent);
  }
}, 60_000);

const DONOR = ["busybox", "sh", "-c", "echo from-donor > /dev/shm/note; exec sleep 100000"];
const FILL_VOLUME =
  "mkdir -p /v/in/deep; echo below > /v/in/deep/f; ln -s /etc /v/out; ln -s ../../../../etc /v/far";
const NO_CHMOD = {
  defaultAction: "SCMP_ACT_ALLOW",
  syscalls: [{ names: ["chmod", "fchmodat", "fchmodat2"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
};

/** A limit as cgroup v1 or v2 shows it. */
const limit = (v1: string, v2: string): string =>
  `cat /sys/fs/cgroup/${v1} 2>/dev/null || cat /sys/fs/cgroup/${v2}`;
const namespace = (kind: string): string => `readlink /proc/self/ns/${kind}`;
const own = (kind: string): string => readlinkSync(`/proc/self/ns/${kind}`);
const status = (key: string): string => `sed -n 's/^${key}:[[:space:]]*//p' /proc/self/status`;
const device =
  ["/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"].find((path) => isThere(path)) ?? "/dev/loop0";

function isThere(path: string): boolean {
  try {
    return readFileSync(path, { flag: "r" }).length >= 0;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ENOENT");
  }
}

type Want = string | RegExp | (() => string);

/** Flags of `docker run`, a shell command inside, and all it prints. */
const shown: [flags: string[], command: string, want: Want][] = [
  [
    ["--hostname", "inner", "--domainname", "example.org"],
    "hostname; cat /proc/sys/kernel/domainname",
    "inner\nexample.org\n",
  ],
  [["--uts", "host"], "hostname", () => `${hostname()}\n`],
  [["--uts", "host"], namespace("uts"), () => `${own("uts")}\n`],
  [["--pid", "host"], namespace("pid"), () => `${own("pid")}\n`],
  [["--pid", "container:donor"], "ps | grep -c 'sleep 100[0]00'", "1\n"],
  [["--ipc", "host"], namespace("ipc"), () => `${own("ipc")}\n`],
  [["--ipc", "none"], "grep -c ' /dev/shm ' /proc/mounts", "0\n"],
  [["--ipc", "container:donor"], "cat /dev/shm/note", "from-donor\n"],
  [["--network", "host"], namespace("net"), () => `${own("net")}\n`],
  [["--network", "none"], "ls /sys/class/net", "lo\n"],
  [["--userns", "host"], namespace("user"), () => `${own("user")}\n`],
  [["--cgroupns", "host"], namespace("cgroup"), () => `${own("cgroup")}\n`],
  [
    ["--cgroupns", "private"],
    `[ "$(${namespace("cgroup")})" != "${own("cgroup")}" ] && echo other`,
    "other\n",
  ],
  [
    ["--cgroup-parent", "darse-fields", "--cgroupns", "host"],
    "cut -d: -f3 /proc/self/cgroup",
    /^\/darse-fields\/[0-9a-f]{64}$/m,
  ],
  [["--memory", "64m"], limit("memory/memory.limit_in_bytes", "memory.max"), `${64 << 20}\n`],
  [
    ["--memory", "64m", "--memory-reservation", "32m"],
    limit("memory/memory.soft_limit_in_bytes", "memory.low"),
    `${32 << 20}\n`,
  ],
  [
    ["--memory", "64m", "--memory-swap", "96m"],
    limit("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
    new RegExp(`^(${96 << 20}|${32 << 20})\n$`),
  ],
  [["--memory-swappiness", "7"], "cat /sys/fs/cgroup/memory/memory.swappiness || echo 7", "7\n"],
  [
    ["--memory", "64m", "--oom-kill-disable"],
    "grep -o 'oom_kill_disable 1' /sys/fs/cgroup/memory/memory.oom_control || echo oom_kill_disable 1",
    "oom_kill_disable 1\n",
  ],
  [["--cpus", "0.5"], limit("cpu/cpu.cfs_quota_us", "cpu.max"), /^50000( 100000)?\n$/],
  [
    ["--cpu-period", "20000", "--cpu-quota", "5000"],
    limit("cpu/cpu.cfs_quota_us", "cpu.max"),
    /^5000( 20000)?\n$/,
  ],
  [["--cpu-shares", "512"], limit("cpu/cpu.shares", "cpu.weight"), /^(512|20)\n$/],
  [["--cpuset-cpus", "0", "--cpuset-mems", "0"], status("Cpus_allowed_list"), "0\n"],
  [["--pids-limit", "33"], limit("pids/pids.max", "pids.max"), "33\n"],
  [
    ["--device-read-bps", `${device}:1mb`],
    limit("blkio/blkio.throttle.read_bps_device", "io.max"),
    /1048576/,
  ],
  [
    ["--device-write-bps", `${device}:2mb`],
    limit("blkio/blkio.throttle.write_bps_device", "io.max"),
    /2097152/,
  ],
  [["--device-read-iops", `${device}:300`], limit("blkio/blkio.throttle.read_iops_device", "io.max"), /300/],
  [
    ["--device-write-iops", `${device}:400`],
    limit("blkio/blkio.throttle.write_iops_device", "io.max"),
    /400/,
  ],
  [["--ulimit", "nofile=100:200"], "ulimit -Sn; ulimit -Hn", "100\n200\n"],
  [["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500\n"],
  [["--sysctl", "net.ipv4.ip_forward=0"], "cat /proc/sys/net/ipv4/ip_forward", "0\n"],
  [["--sysctl", "kernel.msgmax=4096"], "cat /proc/sys/kernel/msgmax", "4096\n"],
  [["--device", "/dev/null:/dev/nought:r"], "stat -c %t:%T /dev/nought; echo x > /dev/nought", /^1:3\n/],
  [["--device-cgroup-rule", "c 1:11 r"], limit("devices/devices.list", "cgroup.controllers"), /c 1:11 r|cpu/],
  [
    ["--user", "1000:1001", "--group-add", "29", "--group-add", "nogroup"],
    "id -u; id -G",
    "1000\n1001 29 65534\n",
  ],
  [["--cap-drop", "ALL"], status("CapBnd"), "0000000000000000\n"],
  [["--cap-add", "NET_ADMIN"], "ip link set lo down && echo done", "done\n"],
  [["--security-opt", "no-new-privileges"], status("NoNewPrivs"), "1\n"],
  [["--security-opt", "seccomp=unconfined"], status("Seccomp"), "0\n"],
  [["--security-opt", "apparmor=unconfined", "--security-opt", "label=disable"], "echo runs", "runs\n"],
  [["--security-opt", "label=level:s0:c1,c2"], "echo runs", "runs\n"],
  [
    ["--security-opt", "systempaths=unconfined"],
    "grep -c ' /proc/.* ro,\\| /proc/kcore ' /proc/mounts",
    "0\n",
  ],
  [
    ["--privileged"],
    `grep -c ' /proc/[a-z]* ' /proc/mounts; ${status("Seccomp")}; [ -e /dev/kmsg ] && echo devices`,
    "0\n0\ndevices\n",
  ],
  [["--read-only"], "echo x > /x || echo refused; echo y > /dev/shm/y && echo written", "refused\nwritten\n"],
  [
    ["--tmpfs", "/scratch:size=1m,mode=0700"],
    "stat -c %a /scratch; df -k /scratch | tail -1 | tr -s ' ' | cut -d' ' -f2",
    "700\n1024\n",
  ],
  [["--shm-size", "1m"], "df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2", "1024\n"],
  [["--init"], "cat /proc/1/cmdline | tr '\\0' ' '", /^\/sbin\/docker-init -- sh -c/],
  [
    ["--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3"],
    "cat /etc/resolv.conf",
    /nameserver 192\.0\.2\.53[^]*search example\.org[^]*options ndots:3|search example\.org[^]*nameserver 192\.0\.2\.53/,
  ],
  [["--add-host", "else:192.0.2.9"], "grep else /etc/hosts", "192.0.2.9\telse\n"],
  [
    ["--link", "donor:db"],
    "grep -o 'db .* donor' /etc/hosts; echo $DB_PORT_5432_TCP_PORT $DB_ENV_SECRET",
    /^db [0-9a-f]{12} donor\n5432 s3\n$/,
  ],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=in/deep"], "cat /m/f", "below\n"],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=in/deep/f"], "cat /m", "below\n"],
  [["--runtime", "crun"], "echo runs", "runs\n"],
  [
    ["--stop-signal", "SIGUSR1", "--stop-timeout", "1", "--label", "a=b", "--workdir", "/made/here"],
    "pwd",
    "/made/here\n",
  ],
  [["--env", "A=1 2", "--entrypoint", "/bin/sh"], "echo $A", "1 2\n"],
];

for (const [flags, command, want] of shown) {
  test(`${flags.join(" ")}: ${command.slice(0, 60)}`, async () => {
    const isOwnShell = flags.includes("--entrypoint");
    const args = isOwnShell ? ["-c", command] : ["sh", "-c", command];
    const { stdout, stderr } = await engine.docker(["run", "--rm", ...flags, "busybox", ...args]);
    const expected = typeof want === "function" ? want() : want;
    if (typeof expected === "string") expect(stdout + (stdout === expected ? "" : stderr)).toBe(expected);
    else expect(stdout + (expected.test(stdout) ? "" : stderr)).toMatch(expected);
  }, 20_000);
}

test("a seccomp profile from a file holds", async () => {
  const profile = `seccomp=${join(engine.folder, "no-chmod.json")}`;
  const { stdout, stderr } = await engine.docker([
    "run",
    "--rm",
    "--security-opt",
    profile,
    "busybox",
    "chmod",
    "700",
    "/tmp",
  ]);
  expect(stdout + stderr).toMatch(/chmod: \/tmp: .*[Nn]ot supported/);
});

test("a file bound read-only is read and not written", async () => {
  const bind = `${join(engine.folder, "file")}:/deep/file:ro`;
  const { stdout } = await engine.docker([
    "run",
    "--rm",
    "-v",
    bind,
    "busybox",
    "sh",
    "-c",
    "cat /deep/file; echo x > /deep/file || echo refused",
  ]);
  expect(stdout).toBe("content\nrefused\n");
});

test("annotations of the request reach the runtime", async () => {
  const { stdout } = await engine.docker([
    "create",
    "--annotation",
    "com.example.key=value",
    "busybox",
    "sleep",
    "100",
  ]);
  const id = stdout.trim();
  await engine.docker(["start", id]);
  const spec: unknown = JSON.parse(
    readFileSync(join(engine.runFolder, "containers", id, "config.json"), "utf8"),
  );
  expect(spec).toMatchObject({ annotations: { "com.example.key": "value" } });
  await engine.docker(["rm", "-f", id]);
});

test("masked and read-only paths may be chosen", async () => {
  const HostConfig = { MaskedPaths: ["/proc/version"], ReadonlyPaths: ["/tmp"] };
  const Cmd = [
    "sh",
    "-c",
    "cat /proc/version; echo x > /tmp/x || echo refused; ls /proc/acpi /proc/bus > /dev/null && echo seen",
  ];
  const { body } = await engine.api("POST", "/containers/create?name=masked", {
    Image: "busybox",
    Cmd,
    HostConfig,
  });
  expect(body).toMatchObject({ Warnings: [] });
  await engine.docker(["start", "-a", "masked"]);
  expect((await engine.docker(["logs", "masked"])).stdout).toMatch(/^refused\n(seen\n)?$/);
  await engine.docker(["rm", "masked"]);
});

/** What this host or engine cannot do is refused by its name, or left out with a warning, never dropped in silence. */
const refused: [flags: string[], says: RegExp][] = [
  [["--userns", "private"], /UsernsMode|invalid USER mode/],
  [["--storage-opt", "size=1g"], /StorageOpt/],
  [["--mount", "type=image,src=nosuch,dst=/i"], /No such image: nosuch/],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=../x"], /subpath must be a relative path/],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=out"], /cannot access path out/],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=far"], /cannot access path far/],
  [["--mount", "type=volume,src=fields,dst=/m,volume-subpath=nowhere"], /cannot access path nowhere/],
  [["--ipc", "container:nobody"], /No such container: nobody/],
  [["--link", "nobody:x"], /No such container: nobody/],
  [["--runtime", "kata"], /unknown or invalid runtime name: kata/],
  [["--sysctl", "kernel.core_pattern=|/bin/sh"], /sysctl 'kernel.core_pattern.* is not allowed/],
  [["--sysctl", "kernel.shmmax=1+kernel.core_pattern=x"], /Cannot set sysctl kernel.shmmax/],
  [["--sysctl", "net.ipv4.ip_forward=1\nkernel.core_pattern=x"], /Cannot set sysctl net.ipv4.ip_forward/],
  [["--security-opt", "writable=everything"], /invalid --security-opt/],
  [["--device", "/dev/nothing-there"], /no such file or directory/],
  [["--annotation", "run.oci.seccomp_bpf_data=AAAA"], /invalid Annotations/],
  [["--cpu-rt-runtime", "2000", "--cpu-rt-period", "1000"], /real-time/],
  [["--log-opt", "max-size=nothing"], /invalid size: 'nothing'/],
];

for (const [flags, says] of refused) {
  test(`${JSON.stringify(flags)} is refused`, async () => {
    const before = (await engine.docker(["ps", "-aq"])).stdout;
    const { code, stderr } = await engine.docker(["run", "--rm", ...flags, "busybox", "true"]);
    expect(stderr).toMatch(says);
    expect(code).not.toBe(0);
    expect((await engine.docker(["ps", "-aq"])).stdout).toBe(before);
  });
}

test("an IPC namespace that is not shared cannot be joined", async () => {
  await engine.docker(["run", "-d", "--name", "closed", "busybox", "sleep", "1000"]);
  const { stderr } = await engine.docker(["run", "--rm", "--ipc", "container:closed", "busybox", "true"]);
  expect(stderr).toContain("non-shareable IPC (hint: use IpcMode:shareable for the donor container)");
  await engine.docker(["rm", "-f", "closed"]);
});

test("a weight that the kernel does not know is left out with a warning, or shows", async () => {
  const { stdout, stderr } = await engine.docker([
    "run",
    "--rm",
    "--blkio-weight",
    "300",
    "busybox",
    "sh",
    "-c",
    limit("blkio/blkio.weight", "io.bfq.weight"),
  ]);
  expect(stdout + stderr).toMatch(/300|Block I\/O weight/);
});
