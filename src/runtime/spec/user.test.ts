import { expect, test } from "bun:test";
import { type AccountFiles, type ResolvedUser, resolveUser } from "./user.ts";

const files: AccountFiles = {
  passwd: [
    "root:x:0:0:root:/root:/bin/sh",
    "# comment",
    "",
    "broken:x:abc:0::/:/bin/sh",
    "app:x:1000:1001:App:/home/app:/bin/sh",
    "4242:x:7:8::/numeric:/bin/sh",
    "huge:x:4294967296:0::/:/bin/sh",
    "hugegroup:x:5:4294967296::/:/bin/sh",
    "nohome:x:9:9:::/bin/sh",
  ].join("\n"),
  group: ["root:x:0:", "app:x:1001:", "wheel:x:10:root,app", "audio:x:29:app", "bad:x:x:app"].join("\n"),
};

const accepted: [string, ResolvedUser][] = [
  ["", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
  ["root", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
  ["0", { uid: 0, gid: 0, groups: [0, 10], home: "/root" }],
  ["app", { uid: 1000, gid: 1001, groups: [1001, 10, 29], home: "/home/app" }],
  ["1000", { uid: 1000, gid: 1001, groups: [1001, 10, 29], home: "/home/app" }],
  ["app:root", { uid: 1000, gid: 0, groups: [0], home: "/home/app" }],
  ["app:10", { uid: 1000, gid: 10, groups: [10], home: "/home/app" }],
  ["1000:1000", { uid: 1000, gid: 1000, groups: [1000], home: "/home/app" }],
  [":10", { uid: 0, gid: 10, groups: [10], home: "/root" }],
  ["app:", { uid: 1000, gid: 1001, groups: [1001, 10, 29], home: "/home/app" }],
  ["31337", { uid: 31337, gid: 0, groups: [0], home: "/" }],
  ["31337:31338", { uid: 31337, gid: 31338, groups: [31338], home: "/" }],
  ["2147483647", { uid: 2147483647, gid: 0, groups: [0], home: "/" }],
  ["4242", { uid: 7, gid: 8, groups: [8], home: "/numeric" }],
  ["nohome", { uid: 9, gid: 9, groups: [9], home: "/" }],
];

for (const [user, expected] of accepted) {
  test(`user "${user}" is ${expected.uid}:${expected.gid}`, () => {
    expect(resolveUser(files, user)).toEqual(expected);
  });
}

const refused: [string, string][] = [
  ["nobody", "unable to find user nobody: no matching entries in passwd file"],
  ["broken", "unable to find user broken: no matching entries in passwd file"],
  ["app:nogroup", "unable to find group nogroup: no matching entries in group file"],
  ["app:bad", "unable to find group bad: no matching entries in group file"],
  ["-1", "uids and gids must be in range 0-2147483647"],
  ["2147483648", "uids and gids must be in range 0-2147483647"],
  ["4294967295", "uids and gids must be in range 0-2147483647"],
  ["4294967296", "uids and gids must be in range 0-2147483647"],
  ["99999999999999999999999", "uids and gids must be in range 0-2147483647"],
  ["0:-1", "uids and gids must be in range 0-2147483647"],
  ["0:4294967296", "uids and gids must be in range 0-2147483647"],
  ["huge", "uids and gids must be in range 0-2147483647"],
  ["hugegroup", "uids and gids must be in range 0-2147483647"],
];

for (const [user, message] of refused) {
  test(`user "${user}" is refused`, () => expect(() => resolveUser(files, user)).toThrow(message));
}

test("an image without account files has root and every number", () => {
  const none = { passwd: undefined, group: undefined };
  expect(resolveUser(none, "")).toEqual({ uid: 0, gid: 0, groups: [0], home: "/" });
  expect(resolveUser(none, "12:34")).toEqual({ uid: 12, gid: 34, groups: [34], home: "/" });
  expect(() => resolveUser(none, "root")).toThrow("unable to find user root");
});

test("added groups follow the user's own, by name or number, once", () => {
  expect(resolveUser(files, "app", ["audio", "77", "root"]).groups).toEqual([1001, 10, 29, 77, 0]);
  expect(() => resolveUser(files, "app", ["4294967296"])).toThrow("must be in range");
});
