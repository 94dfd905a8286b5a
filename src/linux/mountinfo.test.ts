import { expect, test } from "bun:test";
import { parseMountInfo } from "./mountinfo.ts";

const table: [string, string, object][] = [
  [
    "a plain mount",
    "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard",
    {
      id: 27,
      parentId: 1,
      root: "/",
      target: "/",
      options: ["rw", "relatime"],
      tags: [],
      type: "ext4",
      source: "/dev/vda",
      superOptions: ["rw", "discard"],
    },
  ],
  [
    "two propagation tags",
    "1 1 0:1 / /a rw shared:5 master:2 - tmpfs t rw",
    { tags: ["shared:5", "master:2"] },
  ],
  ["a space and a newline in the target", "1 1 0:1 / /a\\040b\\012c rw - tmpfs t rw", { target: "/a b\nc" }],
  ["a backslash in the source", "1 1 0:1 / /a rw - tmpfs x\\134y rw", { source: "x\\y" }],
  ["a directory of the file system", "1 1 0:1 /sub /a rw - ext4 /dev/x rw", { root: "/sub" }],
  ["a pinned namespace", "1 1 0:4 net:[402] /run/n rw - nsfs nsfs rw", { type: "nsfs", root: "net:[402]" }],
  ["a field that is a dash", "1 1 0:1 / /- rw - tmpfs - rw", { target: "/-", source: "-" }],
  ["a name that is not ASCII", "1 1 0:1 / /é rw - tmpfs t rw", { target: "/é" }],
];

for (const [what, line, expected] of table) {
  test(`parseMountInfo() reads ${what}`, () =>
    expect(parseMountInfo(`${line}\n`)[0]).toMatchObject(expected));
}

test("parseMountInfo() refuses a line that is cut", () => {
  expect(() => parseMountInfo("27 1 254:0 /")).toThrow("is incomplete");
});
