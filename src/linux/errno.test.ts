import { expect, test } from "bun:test";
import { isErrno } from "#base/errors.ts";
import { check, cPath, lastErrno, libc, openat2 } from "./_libc.ts";
import { AT_FDCWD, O_PATH, RESOLVE_NO_MAGICLINKS } from "./constants.ts";
import { errnoName, errnoNumber, SystemCallError } from "./errno.ts";

const refused: [string, () => number][] = [
  ["EBADF", () => libc.close(-1)],
  ["ENOENT", () => libc.openat(AT_FDCWD, "/no/such", 0, 0)],
  ["ENOTDIR", () => libc.openat(AT_FDCWD, "/etc/passwd/x", 0, 0)],
  ["EEXIST", () => libc.mkdirat(AT_FDCWD, "/tmp", 0)],
  ["EISDIR", () => libc.unlinkat(AT_FDCWD, "/etc", 0)],
  ["ENAMETOOLONG", () => libc.openat(AT_FDCWD, "x".repeat(300), 0, 0)],
  ["ESRCH", () => libc.kill(0x3fff_ffff, 0)],
  ["EINVAL", () => libc.umount2("/etc", 0x4000_0000)],
  ["EAFNOSUPPORT", () => libc.socket(250, 1, 0)],
  ["ELOOP", () => openat2(AT_FDCWD, "/proc/self/exe", { flags: O_PATH, resolve: RESOLVE_NO_MAGICLINKS })],
];

for (const [code, call] of refused) {
  test(`a call refused with ${code} gives ${code}`, () => {
    expect(call()).toBe(-1);
    expect(errnoName(lastErrno())).toBe(code);
  });
}

test("errno is right after each of 200,000 refused calls under garbage collection", () => {
  const expected = refused.map(([code, call]): [number, () => number] => [errnoNumber(code), call]);
  const wrong: [number, number][] = [];
  let garbage: object[] = [];
  for (let round = 0; round < 20_000; round += 1) {
    for (const [errno, call] of expected) {
      try {
        check(call(), "call");
      } catch (error) {
        if (!(error instanceof SystemCallError) || error.errno !== errno) wrong.push([errno, round]);
      }
    }
    garbage.push({ text: `${round}` });
    if (round % 1000 === 0) {
      garbage = [];
      Bun.gc(round % 3000 === 0);
    }
  }
  expect(wrong).toEqual([]);
});

test("a refused call names the call, the path and the errno", () => {
  expect(() => check(libc.mkdirat(AT_FDCWD, "/tmp", 0), "mkdir", "/tmp")).toThrow(
    'System call mkdir failed on "/tmp": file already exists (EEXIST)',
  );
});

test("isErrno of base knows a SystemCallError", () => {
  expect(isErrno(new SystemCallError("open", 2, "/x"), "ENOENT")).toBe(true);
});

const names: [number, string][] = [
  [1, "EPERM"],
  [11, "EAGAIN"],
  [61, "ENODATA"],
  [95, "EOPNOTSUPP"],
  [122, "EDQUOT"],
  [4000, "E4000"],
];

for (const [number, name] of names) {
  test(`errno ${number} is ${name}`, () => expect(errnoName(number)).toBe(name));
}

test("a path with a NUL is refused, as the kernel would see another path", () => {
  expect(() => cPath("/tmp\0/x", "open")).toThrow("EINVAL");
});
