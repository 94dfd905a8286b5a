import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseBytes } from "./bytes.ts";
import { parseDecimal } from "./decimal.ts";
import { parseDuration } from "#base/duration.ts";
import { resolveEnv } from "./env.ts";
import { parseHealth } from "./health.ts";
import { parseExtraHost } from "./host-names.ts";
import { isAddress } from "./ip.ts";
import { parseCsv, parseKeyValues, parseStrictKeyValues } from "./key-values.ts";
import {
  parseDevice,
  parseGpus,
  parseRestartPolicy,
  parseThrottleBytes,
  parseThrottleCount,
  parseUlimit,
  parseWeightDevice,
} from "./resources.ts";
import { parseSecurityOptions } from "./security.ts";
import { parseTimestamp } from "#base/timestamp.ts";
import { parseTmpfs, parseVolumes } from "./volumes.ts";

const bytes: [string, number][] = [
  ["0", 0],
  ["32", 32],
  ["32b", 32],
  ["32k", 32768],
  ["32K", 32768],
  ["32kb", 32768],
  ["32KiB", 32768],
  ["512m", 536870912],
  ["1.5g", 1610612736],
  ["1 t", 1024 ** 4],
  ["-1", -1],
];
for (const [text, want] of bytes) test(`${text} is ${want} bytes`, () => expect(parseBytes(text)).toBe(want));

for (const text of ["", "hello", "-32", "32x", "32kk", " ", "1..5g", "0x10"]) {
  test(`"${text}" is no size`, () => expect(() => parseBytes(text)).toThrow("invalid s"));
}

const durations: [string, number][] = [
  ["0", 0],
  ["5s", 5e9],
  ["1h15m30.5s", 4530.5e9],
  ["-1.5h", -5400e9],
  ["100ms", 1e8],
  ["3us", 3000],
  ["3µs", 3000],
  ["7ns", 7],
  [".5s", 5e8],
  ["1.s", 1e9],
];
for (const [text, want] of durations)
  test(`${text} is ${want} ns`, () => expect(parseDuration(text)).toBe(want));

for (const text of ["", "3", "-", "s", ".s", "+5", "1x", "1h ", "1 h"]) {
  test(`"${text}" is no duration`, () => expect(() => parseDuration(text)).toThrow("duration"));
}

test("decimals have at most nine places", () => {
  expect(parseDecimal("1.5")).toBe(1.5);
  expect(parseDecimal(".25")).toBe(0.25);
  expect(() => parseDecimal("1.0000000001")).toThrow("value is too precise");
  expect(() => parseDecimal("-1")).toThrow("failed to parse -1 as a rational number");
});

test("--env after --env-file; a name alone takes our value, or none", () => {
  const files: Record<string, string> = {
    a: "\uFEFFA=1\n# comment\n\n  B=2\nHOME\nMISSING\nEMPTY=\nURL=http://x?a=b\r\n",
  };
  const sources = {
    files: ["a"],
    entries: ["C=3", "HOME", "GONE", "A=over"],
    env: { HOME: "/root", UNDEFINED: undefined },
    read: (path: string) => files[path] ?? "",
  };
  expect(resolveEnv(sources)).toEqual([
    "A=1",
    "B=2",
    "HOME=/root",
    "EMPTY=",
    "URL=http://x?a=b",
    "C=3",
    "HOME=/root",
    "GONE",
    "A=over",
  ]);
});

test("a variable without a name, or with a blank in it, is refused", () => {
  const none = { files: [], entries: [], env: {}, read: () => "" };
  expect(() => resolveEnv({ ...none, entries: ["=x"] })).toThrow("invalid environment variable: =x");
  expect(() => resolveEnv({ ...none, files: ["f"], read: () => "a b=c" })).toThrow(
    "variable 'a b' contains whitespaces",
  );
  expect(() => resolveEnv({ ...none, files: ["f"], read: () => "=c" })).toThrow(
    "no variable name on line '=c'",
  );
});

test("labels with hostile names are only text", () => {
  const labels = parseKeyValues(["__proto__=1", "constructor=2", "a", "a=b=c"]);
  expect(Object.entries(labels)).toEqual([
    ["__proto__", "1"],
    ["constructor", "2"],
    ["a", "b=c"],
  ]);
  expect(JSON.stringify(labels)).toBe('{"__proto__":"1","constructor":"2","a":"b=c"}');
  expect(() => parseStrictKeyValues(["x"], "--sysctl")).toThrow(
    'Cannot use --sysctl "x": it must be key=value',
  );
});

test("CSV fields come back as they were quoted", () => {
  expect(parseCsv('type=bind,"source=/a,b",target=/c')).toEqual(["type=bind", "source=/a,b", "target=/c"]);
  expect(parseCsv('"a ""b"""')).toEqual(['a "b"']);
  expect(parseCsv("a,")).toEqual(["a", ""]);
  expect(() => parseCsv('a"b')).toThrow('bare " in non-quoted field');
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
      const line = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(",");
      expect(parseCsv(line)).toEqual(fields);
    }),
  );
});

test("volumes: binds, relative sources made absolute, anonymous ones", () => {
  const { binds, anonymous } = parseVolumes(
    ["data:/data", "/srv:/srv:ro", "./src:/app", ".:/here:z", "/cache"],
    "/work",
  );
  expect(binds).toEqual(["data:/data", "/srv:/srv:ro", "/work/src:/app", "/work:/here:z"]);
  expect(anonymous).toEqual({ "/cache": {} });
});

const noVolumes: [string, string][] = [
  ["", "invalid empty volume spec"],
  ["data:", "invalid spec: data:: empty section between colons"],
  [":/b", "invalid spec: :/b: empty section between colons"],
  ["a:b:c:d", "invalid spec: a:b:c:d: too many colons"],
];
for (const [text, message] of noVolumes) {
  test(`volume "${text}" is refused`, () => {
    expect(() => parseVolumes([text], "/")).toThrow(message);
  });
}

test("tmpfs options follow the first colon", () => {
  expect(parseTmpfs(["/run", "/tmp:size=64m,mode=1777"])).toEqual({
    "/run": "",
    "/tmp": "size=64m,mode=1777",
  });
});

test("devices: target and permissions may be left out", () => {
  const device = (text: string) => Object.values(parseDevice(text));
  expect(device("/dev/fuse")).toEqual(["/dev/fuse", "/dev/fuse", "rwm"]);
  expect(device("/dev/a:/dev/b")).toEqual(["/dev/a", "/dev/b", "rwm"]);
  expect(device("/dev/a:r")).toEqual(["/dev/a", "/dev/a", "r"]);
  expect(device("/dev/a:/dev/b:rw")).toEqual(["/dev/a", "/dev/b", "rw"]);
  expect(() => parseDevice("/dev/a:/dev/b:x")).toThrow("invalid device specification");
});

test("device rates and weights", () => {
  expect(parseThrottleBytes("/dev/sda:1mb")).toEqual({ Path: "/dev/sda", Rate: 1048576 });
  expect(parseThrottleCount("/dev/sda:100")).toEqual({ Path: "/dev/sda", Rate: 100 });
  expect(parseWeightDevice("/dev/sda:500")).toEqual({ Path: "/dev/sda", Weight: 500 });
  expect(() => parseWeightDevice("/dev/sda:5")).toThrow("invalid weight");
  expect(() => parseThrottleBytes("sda:1mb")).toThrow("bad format");
});

test("ulimits: one number is both limits", () => {
  expect(parseUlimit("nofile=1024")).toEqual({ Name: "nofile", Soft: 1024, Hard: 1024 });
  expect(parseUlimit("core=0:-1")).toEqual({ Name: "core", Soft: 0, Hard: -1 });
  expect(() => parseUlimit("nofile=2:1")).toThrow("must be less than or equal to hard limit");
  expect(() => parseUlimit("nope=1")).toThrow("invalid ulimit type: nope");
  expect(() => parseUlimit("nofile")).toThrow("invalid ulimit argument");
});

test("restart policies", () => {
  expect(parseRestartPolicy(undefined)).toEqual({ Name: "no", MaximumRetryCount: 0 });
  expect(parseRestartPolicy("on-failure:5")).toEqual({ Name: "on-failure", MaximumRetryCount: 5 });
  expect(() => parseRestartPolicy("on-failure:x")).toThrow("maximum retry count must be an integer");
});

test("GPU requests", () => {
  expect(parseGpus("all")).toMatchObject({ Count: -1, Capabilities: [["gpu"]] });
  expect(parseGpus("2")).toMatchObject({ Count: 2 });
  expect(parseGpus('"device=0,1",capabilities=utility')).toMatchObject({
    DeviceIDs: ["0", "1"],
    Capabilities: [["gpu", "utility"]],
  });
});

test("a health check only when a flag speaks of it", () => {
  const none = {
    healthCmd: undefined,
    healthInterval: undefined,
    healthTimeout: undefined,
    healthStartPeriod: undefined,
    healthStartInterval: undefined,
    healthRetries: undefined,
    noHealthcheck: false,
  };
  expect(parseHealth(none)).toBeUndefined();
  expect(parseHealth({ ...none, noHealthcheck: true })).toEqual({ Test: ["NONE"] });
  expect(parseHealth({ ...none, healthCmd: "true", healthRetries: 2 })).toMatchObject({
    Test: ["CMD-SHELL", "true"],
    Retries: 2,
  });
  expect(() => parseHealth({ ...none, healthCmd: "true", noHealthcheck: true })).toThrow("conflicts");
});

test("extra hosts", () => {
  expect(parseExtraHost("db:10.0.0.1")).toBe("db:10.0.0.1");
  expect(parseExtraHost("db=::1")).toBe("db:::1");
  expect(parseExtraHost("db:[::1]")).toBe("db:::1");
  expect(parseExtraHost("host:host-gateway")).toBe("host:host-gateway");
  expect(() => parseExtraHost("db")).toThrow('bad format for add-host: "db"');
  expect(() => parseExtraHost("db:nope")).toThrow('invalid IP address in add-host: "nope"');
});

test("security options: a seccomp profile is sent by its content", () => {
  const read = (path: string): string => (path === "p.json" ? '{ "a": 1 }' : "not json");
  const { options, hasOpenSystemPaths } = parseSecurityOptions(
    ["seccomp=p.json", "seccomp=unconfined", "no-new-privileges", "label:disable", "systempaths=unconfined"],
    read,
  );
  expect(options).toEqual(['seccomp={"a":1}', "seccomp=unconfined", "no-new-privileges", "label:disable"]);
  expect(hasOpenSystemPaths).toBe(true);
  expect(() => parseSecurityOptions(["seccomp=other"], read)).toThrow("seccomp profile (other)");
  expect(() => parseSecurityOptions(["nonsense"], read)).toThrow('invalid --security-opt: "nonsense"');
});

const times: [string, string][] = [
  ["1767366245", "1767366245"],
  ["1767366245.5", "1767366245.5"],
  ["2026-01-02T15:04:05Z", "1767366245.000000000"],
  ["2026-01-02T15:04:05.123456789Z", "1767366245.123456789"],
  ["2026-01-02T15:04:05+01:00", "1767362645.000000000"],
  ["42m", "997480.000000000"],
  ["1h30m", "994600.000000000"],
];
for (const [text, want] of times) {
  test(`time ${text} is ${want}`, () => expect(parseTimestamp(text, 1_000_000_000)).toBe(want));
}
test("dates without a zone are of the local one", () => {
  const local = Date.parse("2026-01-02T15:04:00") / 1000;
  expect(parseTimestamp("2026-01-02T15:04", 0)).toBe(`${local}.000000000`);
  expect(() => parseTimestamp("yesterday", 0)).toThrow('Cannot parse time "yesterday"');
});

const addresses: [string, boolean][] = [
  ["127.0.0.1", true],
  ["0.0.0.0", true],
  ["256.0.0.1", false],
  ["1.2.3", false],
  ["01.2.3.4", false],
  ["::", true],
  ["::1", true],
  ["fe80::1%eth0", true],
  ["2001:db8::a:b", true],
  ["1:2:3:4:5:6:7:8", true],
  ["1:2:3:4:5:6:7", false],
  ["1:2:3:4:5:6:7:8::", false],
  ["::ffff:10.0.0.1", true],
  ["1::2::3", false],
  ["g::1", false],
  ["", false],
];
for (const [text, want] of addresses) {
  test(`"${text}" is ${want ? "an" : "no"} address`, () => expect(isAddress(text)).toBe(want));
}
