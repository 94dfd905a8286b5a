import { expect, test } from "bun:test";
import { checkLocalOptions, type LocalOptions, localMount, serverName } from "./local-options.ts";

const refused: [LocalOptions, string][] = [
  [{ color: "red" }, 'create v: invalid option: "color"'],
  [{ o: "ro" }, 'create v: missing required option: "device"'],
  [{ type: "tmpfs" }, 'create v: missing required option: "device"'],
  [{ device: "/x" }, 'create v: missing required option: "type"'],
  [{ device: "/x", o: "bind" }, 'create v: missing required option: "type"'],
  [{ size: "10m" }, "create v: quota size requested but no quota support"],
];
for (const [options, message] of refused) {
  test(`${JSON.stringify(options)} is refused in Docker's words`, () =>
    expect(() => checkLocalOptions("v", options)).toThrow(message));
}

const mounts: [LocalOptions, ReturnType<typeof localMount>][] = [
  [{}, undefined],
  [
    { type: "tmpfs", device: "tmpfs", o: "size=1m,uid=5,nosuid" },
    { device: "tmpfs", type: "tmpfs", flags: 2, propagation: 0, data: "size=1m,uid=5" },
  ],
  [
    { type: "none", device: "/x", o: "rbind,ro,rslave" },
    { device: "/x", type: "none", flags: 0x5001, propagation: (1 << 19) | 0x4000, data: "" },
  ],
  [
    { type: "overlay", device: "overlay", o: "lowerdir=/a:/b,upperdir=/c,workdir=/d,ro,rw" },
    {
      device: "overlay",
      type: "overlay",
      flags: 0,
      propagation: 0,
      data: "lowerdir=/a:/b,upperdir=/c,workdir=/d",
    },
  ],
];
for (const [options, want] of mounts) {
  test(`${JSON.stringify(options)} is mounted`, () => {
    checkLocalOptions("v", options);
    expect(localMount(options)).toEqual(want);
  });
}

test("the server of a network file system is found", () => {
  expect(serverName({ data: "vers=4,addr=nas.example,soft" })).toBe("nas.example");
  expect(serverName({ data: "vers=4" })).toBeUndefined();
});
