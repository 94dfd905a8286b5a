import { expect, test } from "bun:test";
import { DEFAULT_CAPABILITIES } from "./capabilities.ts";
import { DEFAULT_SECCOMP, decodeSeccompProfile, resolveSeccomp, type SeccompTarget } from "./seccomp.ts";

const target: SeccompTarget = {
  architecture: "amd64",
  kernel: [6, 18],
  capabilities: new Set(DEFAULT_CAPABILITIES),
};

function allowed(name: string, changes: Partial<SeccompTarget> = {}): boolean {
  return resolveSeccomp(DEFAULT_SECCOMP, { ...target, ...changes }).syscalls.some(
    (rule) => rule.names.includes(name) && rule.action === "SCMP_ACT_ALLOW" && !rule.args,
  );
}

test("the default profile refuses by default and covers the 32-bit calls too", () => {
  const profile = resolveSeccomp(DEFAULT_SECCOMP, target);
  expect(profile.defaultAction).toBe("SCMP_ACT_ERRNO");
  expect(profile.architectures).toEqual(["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
});

const rows: [string, Partial<SeccompTarget>, boolean][] = [
  ["read", {}, true],
  ["mount", {}, false],
  ["mount", { capabilities: new Set(["CAP_SYS_ADMIN"]) }, true],
  ["bpf", {}, false],
  ["io_uring_setup", {}, false],
  ["keyctl", {}, false],
  ["chroot", {}, true],
  ["chroot", { capabilities: new Set() }, false],
  ["ptrace", {}, true],
  ["ptrace", { kernel: [4, 7] }, false],
  ["arch_prctl", {}, true],
  ["arch_prctl", { architecture: "arm64" }, false],
];

for (const [name, changes, isAllowed] of rows) {
  test(`${name} with ${JSON.stringify(changes)} is ${isAllowed ? "allowed" : "refused"}`, () => {
    expect(allowed(name, changes)).toBe(isAllowed);
  });
}

test("AF_ALG and AF_VSOCK sockets are refused by the default profile", () => {
  const rules = resolveSeccomp(DEFAULT_SECCOMP, target).syscalls.filter(({ names }) =>
    names.includes("socket"),
  );
  expect(rules.every(({ args }) => args !== undefined)).toBe(true);
  for (const family of [38, 40]) {
    const matches = rules.some(({ args }) =>
      args?.every(({ value, op }) =>
        op === "SCMP_CMP_LT" ? family < value : op === "SCMP_CMP_GT" ? family > value : family === value,
      ),
    );
    expect(matches).toBe(false);
  }
});

test("a profile of the caller's is read field by field", () => {
  const profile = decodeSeccompProfile({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_AARCH64"],
    syscalls: [{ name: "mkdir", action: "SCMP_ACT_ERRNO", errnoRet: 13, args: [] }],
  });
  expect(resolveSeccomp(profile, target)).toEqual({
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_AARCH64"],
    syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 13 }],
  });
  expect(() => decodeSeccompProfile({ syscalls: [{}] })).toThrow("seccomp profile");
});
