import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Ajv } from "ajv";
import { ALL_CAPABILITIES } from "./capabilities.ts";
import { generateSpec } from "./generate-spec.ts";
import type { HostFacts } from "./host-facts.ts";
import type { SpecInput } from "./spec-input.ts";

const host: HostFacts = {
  architecture: "amd64",
  kernel: [6, 18],
  capabilities: new Set(ALL_CAPABILITIES),
  hardLimits: new Map([["RLIMIT_NOFILE", 20_000]]),
  oomScoreAdj: 0,
  cgroup: {
    mode: "v2",
    controllers: new Set([
      "memory",
      "cpu",
      "cpuset",
      "pids",
      "blkio",
      "blkio.weight",
      "blkio.weight_device",
      "cpu.rt",
    ]),
    hasSwapLimit: true,
  },
  thermalPaths: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
  devices: [{ path: "/dev/kvm", type: "c", major: 10, minor: 232, fileMode: 0o660, uid: 0, gid: 104 }],
  hasAppArmor: false,
};

const weakHost: HostFacts = {
  ...host,
  capabilities: new Set(ALL_CAPABILITIES.filter((name) => name !== "CAP_SYS_RESOURCE")),
};

const input: SpecInput = {
  args: ["sh"],
  env: ["PATH=/bin"],
  cwd: "/",
  user: { uid: 0, gid: 0, groups: [0] },
  tty: false,
  rootfs: "/run/darse/containers/x/rootfs",
  hostname: "box",
  cgroupPath: "/darse/x",
};

const full: SpecInput = {
  ...input,
  cwd: "/work",
  tty: true,
  consoleSize: { rows: 24, columns: 80 },
  isRootReadOnly: true,
  domainname: "example.org",
  user: { uid: 1000, gid: 1000, groups: [1000, 10] },
  mounts: [
    { type: "bind", source: "/srv", destination: "/data/inner", isReadOnly: true },
    { type: "bind", source: "/var", destination: "/data" },
    { type: "tmpfs", destination: "/scratch", options: ["size=64m,exec"] },
  ],
  shm: { sizeBytes: 1024 },
  capabilities: { add: ["net_admin"], drop: ["CAP_CHOWN"] },
  noNewPrivileges: true,
  rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 2048 }],
  devices: [{ device: { path: "/dev/fuse", type: "c", major: 10, minor: 229 }, access: "rwm" }],
  sysctls: { "net.core.somaxconn": "1024", "kernel.shmmax": "1" },
  oomScoreAdj: 500,
  resources: {
    memoryBytes: 64 << 20,
    memoryReservationBytes: 32 << 20,
    nanoCpus: 1.5e9,
    cpuShares: 512,
    cpusetCpus: "0-1",
    pidsLimit: 100,
    blockIoWeight: 300,
    readBps: [{ major: 8, minor: 0, rate: 1000 }],
  },
  namespaces: { network: { path: "/run/darse/netns/x" }, pid: "host" },
};

const schemas = join(import.meta.dir, "testdata/oci-runtime");

/** Draft 4 differs from what ajv speaks only in keywords that these schemas do not use. */
function validator() {
  const ajv = new Ajv({ strict: false, allErrors: true });
  for (const name of readdirSync(schemas)) {
    const { $schema: _draft, ...schema } = JSON.parse(readFileSync(join(schemas, name), "utf8"));
    ajv.addSchema(schema, name);
  }
  return ajv.getSchema("config-schema.json");
}

const rows: [string, SpecInput][] = [
  ["a plain container", input],
  ["a container with everything", full],
  ["a privileged container", { ...input, isPrivileged: true }],
  ["a container without protection", { ...input, maskedPaths: [], readonlyPaths: [], seccomp: "unconfined" }],
  [
    "a container in the host's namespaces",
    {
      ...input,
      namespaces: { network: "host", pid: "host", ipc: "host", uts: "host", cgroup: "host" },
    },
  ],
];

for (const [name, wish] of rows) {
  for (const mode of ["v1", "v2", "hybrid"] as const) {
    test(`the specification of ${name} on cgroup ${mode} is valid by the OCI schema`, () => {
      const validate = validator();
      const { spec } = generateSpec(wish, { ...host, cgroup: { ...host.cgroup, mode } });
      const isValid = validate?.(JSON.parse(JSON.stringify(spec)));
      expect(validate?.errors ?? []).toEqual([]);
      expect(isValid).toBe(true);
    });
  }
}

test("a plain container has Docker's capabilities, none of them inheritable or ambient", () => {
  const { capabilities } = generateSpec(input, host).spec.process;
  const docker = `
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
    AUDIT_WRITE
  `
    .trim()
    .split(/\s+/)
    .map((name) => `CAP_${name}`);
  expect(capabilities).toEqual({ bounding: docker, effective: docker, permitted: docker });
});

const capabilityRows: [string, SpecInput["capabilities"], (names: readonly string[]) => boolean][] = [
  ["drop ALL leaves none", { drop: ["ALL"] }, (names) => names.length === 0],
  ["add ALL gives all", { add: ["all"] }, (names) => names.length === ALL_CAPABILITIES.length],
  ["add ALL less drop", { add: ["ALL"], drop: ["sys_admin"] }, (names) => !names.includes("CAP_SYS_ADMIN")],
  [
    "drop ALL plus add gives what was added",
    { add: ["NET_ADMIN"], drop: ["ALL"] },
    (names) => names.join() === "CAP_NET_ADMIN",
  ],
];

for (const [name, capabilities, holds] of capabilityRows) {
  test(`capabilities: ${name}`, () => {
    const { spec } = generateSpec({ ...input, ...(capabilities && { capabilities }) }, host);
    expect(holds(spec.process.capabilities?.bounding ?? [])).toBe(true);
  });
}

test("an unknown capability is refused by name", () => {
  expect(() => generateSpec({ ...input, capabilities: { add: ["FLY"] } }, host)).toThrow(
    'invalid CapAdd: unknown capability: "CAP_FLY"',
  );
});

test("masked and read-only paths are Docker's, with the throttle of every processor", () => {
  const { linux } = generateSpec(input, host).spec;
  expect(linux.maskedPaths).toContain("/proc/kcore");
  expect(linux.maskedPaths).toContain("/sys/devices/virtual/powercap");
  expect(linux.maskedPaths).toContain("/sys/devices/system/cpu/cpu0/thermal_throttle");
  expect(linux.readonlyPaths).toEqual([
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
  ]);
});

test("empty lists switch masking off", () => {
  const { linux } = generateSpec({ ...input, maskedPaths: [], readonlyPaths: [] }, host).spec;
  expect([linux.maskedPaths, linux.readonlyPaths]).toEqual([undefined, undefined]);
});

test("a privileged container has every capability and device, writable sysfs and cgroups, no masks, no seccomp", () => {
  const { process, linux, mounts } = generateSpec({ ...input, isPrivileged: true }, host).spec;
  expect(process.capabilities?.bounding).toEqual(ALL_CAPABILITIES);
  expect(linux.devices?.map(({ path }) => path)).toEqual(["/dev/kvm"]);
  expect(linux.resources?.devices).toEqual([{ allow: true, access: "rwm" }]);
  expect([linux.maskedPaths, linux.readonlyPaths, linux.seccomp]).toEqual([undefined, undefined, undefined]);
  expect(mounts.filter(({ options }) => options.includes("ro"))).toEqual([]);
});

test("devices are denied but for Docker's few and those that were given", () => {
  const rules = generateSpec(full, host).spec.linux.resources?.devices ?? [];
  expect(rules[0]).toEqual({ allow: false, access: "rwm" });
  expect(rules.at(-1)).toEqual({ allow: true, type: "c", major: 10, minor: 229, access: "rwm" });
});

test("mounts: what the caller mounts replaces the default, outer paths come first", () => {
  const { mounts } = generateSpec(full, host).spec;
  const own = mounts.slice(-3).map(({ destination, options }) => [destination, options]);
  expect(own).toEqual([
    ["/data", ["rbind", "rprivate"]],
    ["/scratch", ["exec", "nosuid", "nodev", "rprivate", "size=64m"]],
    ["/data/inner", ["rbind", "ro", "rro", "rprivate"]],
  ]);
  const shm = generateSpec({ ...input, mounts: [{ type: "tmpfs", destination: "/dev/shm/" }] }, host).spec
    .mounts;
  expect(shm.filter(({ destination }) => destination === "/dev/shm")).toHaveLength(1);
  const dev = generateSpec(
    { ...input, mounts: [{ type: "bind", source: "/dev", destination: "/dev" }] },
    host,
  );
  expect(dev.spec.mounts.filter(({ destination }) => destination.startsWith("/dev/"))).toEqual([]);
});

/** The schema has `slave` alone; Docker writes `rslave`, because `slave` would leave the mounts below the root shared. */
test("a bind that receives or shares mounts makes the root do so", () => {
  const propagation = (value: "rslave" | "shared" | "rprivate") =>
    generateSpec(
      { ...input, mounts: [{ type: "bind", source: "/a", destination: "/a", propagation: value }] },
      host,
    ).spec.linux.rootfsPropagation;
  expect(propagation("rslave")).toBe("rslave");
  expect(propagation("shared")).toBe("shared");
  expect(propagation("rprivate")).toBeUndefined();
});

test("a read-only root leaves proc, dev and their children writable", () => {
  const { root, mounts } = generateSpec({ ...input, isRootReadOnly: true }, host).spec;
  expect(root.readonly).toBe(true);
  const writable = mounts
    .filter(({ options }) => !options.includes("ro"))
    .map(({ destination }) => destination);
  expect(writable).toEqual(["/proc", "/dev", "/dev/pts", "/dev/mqueue", "/dev/shm"]);
});

test("the cgroup namespace is private on v2 and the host's elsewhere", () => {
  const types = (mode: "v1" | "v2" | "hybrid") =>
    generateSpec(input, { ...host, cgroup: { ...host.cgroup, mode } }).spec.linux.namespaces.map(
      ({ type }) => type,
    );
  expect(types("v2")).toContain("cgroup");
  expect(types("v1")).not.toContain("cgroup");
  expect(types("hybrid")).not.toContain("cgroup");
});

test("the host's UTS namespace takes no host name", () => {
  const { spec } = generateSpec({ ...input, namespaces: { uts: "host" } }, host);
  expect(spec.hostname).toBeUndefined();
});

test("limits become the specification's; swap is twice the memory", () => {
  expect(generateSpec(full, host).spec.linux.resources).toMatchObject({
    memory: { limit: 64 << 20, reservation: 32 << 20, swap: 128 << 20 },
    cpu: { quota: 150_000, period: 100_000, shares: 512, cpus: "0-1" },
    pids: { limit: 100 },
    blockIO: { weight: 300 },
  });
});

const lost: [string, Partial<HostFacts["cgroup"]>, SpecInput["resources"], string][] = [
  ["no memory controller", { controllers: new Set() }, { memoryBytes: 1 << 26 }, "memory limit"],
  ["no swap accounting", { hasSwapLimit: false }, { memoryBytes: 1 << 26 }, "Memory limited without swap"],
  ["no pids controller", { controllers: new Set() }, { pidsLimit: 5 }, "PIDs limit discarded"],
  ["swappiness on v2", {}, { memorySwappiness: 10 }, "swappiness discarded"],
  ["no OOM killer on v2", {}, { isOomKillDisabled: true }, "OomKillDisable discarded"],
  ["no cpuset", { controllers: new Set(["cpu"]) }, { cpusetCpus: "0" }, "Cpuset discarded"],
];

for (const [name, cgroup, resources, warning] of lost) {
  test(`limits: ${name} is a warning, not an error`, () => {
    const wish = { ...input, ...(resources && { resources }) };
    const { warnings } = generateSpec(wish, { ...host, cgroup: { ...host.cgroup, ...cgroup } });
    expect(warnings.join()).toContain(warning);
  });
}

test("without CAP_SYS_RESOURCE limits above the engine's own are clamped with a warning", () => {
  const wish: SpecInput = {
    ...input,
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 1_048_576, hard: 1_048_576 }],
    oomScoreAdj: -500,
  };
  const weak = generateSpec(wish, weakHost);
  expect(weak.spec.process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 20_000, hard: 20_000 }]);
  expect(weak.spec.process.oomScoreAdj).toBe(0);
  expect(weak.warnings).toHaveLength(2);
  const strong = generateSpec(wish, host);
  expect(strong.spec.process.rlimits).toEqual([{ type: "RLIMIT_NOFILE", soft: 1_048_576, hard: 1_048_576 }]);
  expect([strong.spec.process.oomScoreAdj, strong.warnings]).toEqual([-500, []]);
});

test("a capability the engine lacks is left out, with a warning when it was asked for", () => {
  const { spec, warnings } = generateSpec({ ...input, isPrivileged: true }, weakHost);
  expect(spec.process.capabilities?.bounding).not.toContain("CAP_SYS_RESOURCE");
  expect(warnings.join()).toContain("CAP_SYS_RESOURCE");
});

for (const cwd of [
  "/proc/self/fd/7",
  "/proc/self/fd/",
  "//proc/./1/fd/99/..",
  "/proc/thread-self/fd/3",
  "relative",
  "",
]) {
  test(`the working directory "${cwd}" is refused`, () => {
    expect(() => generateSpec({ ...input, cwd }, host)).toThrow(`the working directory '${cwd}' is invalid`);
  });
}

const sysctls: [string, string, Partial<SpecInput>, boolean][] = [
  ["net.core.somaxconn", "1024", {}, true],
  ["net.ipv4.ip_local_port_range", "1024 65000", {}, true],
  ["kernel.sem", "250 32000 100 128", {}, true],
  ["fs.mqueue.msg_max", "10", {}, true],
  ["kernel.core_pattern", "|/x", {}, false],
  ["kernel.panic", "1", {}, false],
  ["vm.swappiness", "1", {}, false],
  ["net.core.somaxconn", "1\nkernel.core_pattern=x", {}, false],
  ["kernel.shmmax", "1+kernel.core_pattern=x", {}, false],
  ["net.../../kernel/core_pattern", "x", {}, false],
  ["net.core.somaxconn", "1", { namespaces: { network: "host" } }, false],
  ["kernel.shmmax", "1", { namespaces: { ipc: "host" } }, false],
];

for (const [key, value, changes, isAllowed] of sysctls) {
  const where = Object.keys(changes).length > 0 ? " in the host's namespace" : "";
  test(`sysctl ${key}=${JSON.stringify(value)}${where} is ${isAllowed ? "set" : "refused"}`, () => {
    const wish = { ...input, ...changes, sysctls: { [key]: value } };
    if (isAllowed) expect(generateSpec(wish, host).spec.linux.sysctl?.[key]).toBe(value);
    else expect(() => generateSpec(wish, host)).toThrow("sysctl");
  });
}

test("a private network has Docker's sysctls, the host's has none", () => {
  expect(generateSpec(input, host).spec.linux.sysctl).toEqual({
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
  });
  expect(generateSpec({ ...input, namespaces: { network: "host" } }, host).spec.linux.sysctl).toBeUndefined();
});

test("no command at all has Docker's text", () => {
  expect(() => generateSpec({ ...input, args: [] }, host)).toThrow("no command specified");
});

test("an init is bound into the container and runs the command", () => {
  const { process, mounts } = generateSpec({ ...input, init: { path: "/usr/bin/tini" } }, host).spec;
  expect(process.args).toEqual(["/sbin/docker-init", "--", "sh"]);
  expect(mounts.at(-1)).toMatchObject({ source: "/usr/bin/tini", destination: "/sbin/docker-init" });
});
