import { expect, test } from "bun:test";
import { Fields } from "#base/decode.ts";
import { CONTAINER_CONFIG } from "./container-config.ts";
import { decodeTable } from "./field-table.ts";
import { HOST_CONFIG } from "./host-config.ts";
import { checkName, validate } from "./validate.ts";

const run = (config: object, host: object): string[] =>
  validate(decodeTable(CONTAINER_CONFIG, new Fields(config)), decodeTable(HOST_CONFIG, new Fields(host)), 2);

const MB = 1024 * 1024;

/** Request and the words of its refusal; Docker's daemon_unix.go, container.go, internal/runconfig. */
const refusals: [config: object, host: object, message: string][] = [
  [{}, { Memory: 5 * MB }, "Minimum memory limit allowed is 6MB"],
  [
    {},
    { Memory: 8 * MB, MemorySwap: 7 * MB },
    "Minimum memoryswap limit should be larger than memory limit, see usage",
  ],
  [
    {},
    { MemorySwap: 8 * MB },
    "You should always set the Memory limit when using Memoryswap limit, see usage",
  ],
  [{}, { MemorySwappiness: 101 }, "Invalid value: 101, valid memory swappiness range is 0-100"],
  [{}, { MemoryReservation: 1 }, "Minimum memory reservation allowed is 6MB"],
  [
    {},
    { Memory: 8 * MB, MemoryReservation: 9 * MB },
    "Minimum memory limit can not be less than memory reservation limit, see usage",
  ],
  [{}, { ShmSize: -1 }, "SHM size can not be less than 0"],
  [{}, { NanoCpus: 1, CpuPeriod: 1000 }, "Conflicting options: Nano CPUs and CPU Period cannot both be set"],
  [{}, { NanoCpus: 1, CpuQuota: 1000 }, "Conflicting options: Nano CPUs and CPU Quota cannot both be set"],
  [{}, { NanoCpus: 3e9 }, "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available"],
  [{}, { CpuShares: -1 }, "invalid CPU shares (-1): value must be a positive integer"],
  [
    {},
    { CpuPeriod: 1 },
    "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
  ],
  [{}, { CpuQuota: 1 }, "CPU cfs quota can not be less than 1ms (i.e. 1000)"],
  [{}, { CpusetCpus: "a" }, "Invalid value a for cpuset cpus"],
  [{}, { CpusetCpus: "0-7" }, "Requested CPUs are not available - requested 0-7, available: 0-1"],
  [{}, { BlkioWeight: 5 }, "Range of blkio weight is from 10 to 1000"],
  [{}, { OomScoreAdj: 1001 }, "Invalid value 1001, range for oom score adj is [-1000, 1000]"],
  [
    {},
    { Ulimits: [{ Name: "nofile", Soft: 2, Hard: 1 }] },
    "ulimit soft limit must be less than or equal to hard limit",
  ],
  [
    {},
    { AutoRemove: true, RestartPolicy: { Name: "always" } },
    "can't create 'AutoRemove' container with restart policy",
  ],
  [
    {},
    { RestartPolicy: { Name: "sometimes" } },
    "invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [
    {},
    { RestartPolicy: { Name: "always", MaximumRetryCount: 1 } },
    "invalid restart policy: maximum retry count can only be used with 'on-failure'",
  ],
  [{ Env: ["=x"] }, {}, "invalid environment variable: =x"],
  [{ WorkingDir: "srv" }, {}, "the working directory 'srv' is invalid, it needs to be an absolute path"],
  [{ StopSignal: "SIGNOPE" }, {}, "invalid signal: SIGNOPE"],
  [{ ExposedPorts: { "x/tcp": {} } }, {}, 'invalid port specification: "x/tcp"'],
  [{ ExposedPorts: { "70000/tcp": {} } }, {}, 'invalid port specification: "70000/tcp"'],
  [{}, { PortBindings: { "80/icmp": [{}] } }, 'invalid port specification: "80/icmp"'],
  [{ Healthcheck: { Interval: 1 } }, {}, "Interval in Healthcheck cannot be less than 1ms"],
  [{ Healthcheck: { Retries: -1 } }, {}, "Retries in Healthcheck cannot be negative"],
  [{ Hostname: "a" }, { NetworkMode: "container:x" }, "conflicting options: hostname and the network mode"],
  [{ Hostname: "a" }, { UTSMode: "host" }, "conflicting options: hostname and the UTS mode"],
  [{}, { NetworkMode: "container:" }, "invalid container format container:<name|id>"],
  [{}, { NetworkMode: "container:x", Dns: ["1.1.1.1"] }, "conflicting options: dns and the network mode"],
  [
    {},
    { NetworkMode: "container:x", PublishAllPorts: true },
    "conflicting options: port publishing and the container type network mode",
  ],
  [
    { ExposedPorts: { "80/tcp": {} } },
    { NetworkMode: "container:x" },
    "conflicting options: port exposing and the container type network mode",
  ],
  [
    { MacAddress: "02:00:00:00:00:01" },
    { NetworkMode: "host" },
    "conflicting options: mac-address and the network mode",
  ],
  [{}, { PidMode: "nope" }, "invalid PID mode: nope"],
  [{}, { IpcMode: "nope" }, "invalid IPC mode: nope"],
  [{}, { CgroupnsMode: "nope" }, "invalid cgroup namespace mode: nope"],
  [{}, { Isolation: "hyperv" }, "invalid isolation 'hyperv' on linux"],
  [{}, { ExtraHosts: ["nope"] }, 'bad format for add-host: "nope"'],
  [{}, { LogConfig: { Type: "syslog" } }, "logger: no log driver named 'syslog' is registered"],
  [
    {},
    { LogConfig: { Type: "local", Config: { nope: "1" } } },
    "unknown log opt 'nope' for local log driver",
  ],
  ...(
    [
      ["json-file", { "max-size": "0" }, "must be a positive number"],
      ["json-file", { "max-size": "big" }, "invalid size: 'big'"],
      ["json-file", { "max-file": "0" }, "max-file cannot be less than 1"],
      [
        "json-file",
        { "max-size": "1m", compress: "true" },
        "compress cannot be true when max-file is less than 2",
      ],
      ["json-file", { compress: "perhaps" }, "invalid value for compress"],
      ["json-file", { mode: "sideways" }, "logger: logging mode not supported: sideways"],
      [
        "json-file",
        { "max-buffer-size": "1m" },
        "max-buffer-size option is only supported with 'mode=non-blocking'",
      ],
      ["json-file", { "env-regex": "(a+)+$" }, 'Cannot apply log option "env-regex"'],
      ["json-file", { tag: "{{.Name | len}}" }, 'Cannot apply log option "tag"'],
      ["local", { labels: "a" }, "unknown log opt 'labels' for local log driver"],
      ["syslog", {}, "logger: no log driver named 'syslog' is registered"],
    ] as const
  ).map(([Type, Config, message]): [object, object, string] => [
    {},
    { LogConfig: { Type, Config } },
    message,
  ]),
  [{}, { Links: ["db:db"], NetworkMode: "host" }, "host type networking can't be used with links"],
  [{}, { BlkioWeightDevice: [{ Path: "/dev/sda", Weight: 5 }] }, "Range of blkio weight is from 10 to 1000"],
  [{}, { Runtime: "kata" }, "unknown or invalid runtime name: kata"],
  [
    {},
    { DeviceRequests: [{ Count: -1, Capabilities: [["gpu"]] }] },
    'could not select device driver "" with capabilities: [[gpu]]',
  ],
];

for (const [config, host, message] of refusals) {
  test(`refuses ${JSON.stringify({ ...config, ...host })}`, () =>
    expect(() => run(config, host)).toThrow(message));
}

test("an address in ExtraHosts must be one", () => {
  expect(() => run({}, { ExtraHosts: ["a:zz"] })).toThrow('invalid IP address in add-host: "zz"');
});

/** What this engine can not apply is refused by name. */
const unsupported: [object, string][] = [
  [{ StorageOpt: { size: "1g" } }, "HostConfig.StorageOpt"],
  [{ UsernsMode: "remap" }, "HostConfig.UsernsMode"],
  [{ VolumeDriver: "nfs" }, "HostConfig.VolumeDriver"],
];

for (const [host, field] of unsupported) {
  test(`says that it can not apply ${field}`, () => expect(() => run({}, host)).toThrow(field));
}

test("an ordinary request passes without a warning", () => {
  const host = { Memory: 64 * MB, NanoCpus: 5e8, PortBindings: { "80/tcp": [{ HostPort: "8080" }] } };
  expect(run({ Env: ["A=1", "B"], Labels: { a: "b" } }, host)).toEqual([]);
});

test("what is left out is said", () => {
  expect(run({}, { OomKillDisable: true })).toHaveLength(1);
});

for (const name of ["ab", "a1", "A_b.c-d"]) {
  test(`${name} is a name`, () => expect(() => checkName(name)).not.toThrow());
}
for (const name of ["", "a", "-a", "a/b", "a b", "ä1"]) {
  test(`${JSON.stringify(name)} is not a name`, () => {
    expect(() => checkName(name)).toThrow(
      `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
    );
  });
}
