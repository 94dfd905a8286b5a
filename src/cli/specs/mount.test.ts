import { expect, test } from "bun:test";
import { parseMount } from "./mount.ts";

const table: [string, object][] = [
  ["target=/data", { Type: "volume", Target: "/data" }],
  ["type=bind,source=/a,target=/b", { Type: "bind", Source: "/a", Target: "/b" }],
  [
    "type=bind,source=/a,target=/b,bind-create-src,ro,bind-recursive=readonly,bind-propagation=rprivate",
    {
      Type: "bind",
      Source: "/a",
      Target: "/b",
      ReadOnly: true,
      BindOptions: { CreateMountpoint: true, ReadOnlyForceRecursive: true, Propagation: "rprivate" },
    },
  ],
  ["type=bind,src=./a,dst=/b,ro", { Type: "bind", Source: "/work/a", Target: "/b", ReadOnly: true }],
  ["type=bind,source=/a,destination=/b,readonly=false", { Type: "bind", Source: "/a", Target: "/b" }],
  [
    "type=bind,source=/a,target=/b,bind-propagation=rshared,bind-recursive=disabled",
    { Type: "bind", Source: "/a", Target: "/b", BindOptions: { Propagation: "rshared", NonRecursive: true } },
  ],
  [
    "source=db,target=/b,volume-nocopy,volume-label=a=b,volume-driver=local,volume-opt=type=nfs,volume-subpath=x",
    {
      Type: "volume",
      Source: "db",
      Target: "/b",
      VolumeOptions: {
        NoCopy: true,
        Labels: { a: "b" },
        DriverConfig: { Name: "local", Options: { type: "nfs" } },
        Subpath: "x",
      },
    },
  ],
  [
    "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1777",
    { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1048576, Mode: 0o1777 } },
  ],
  [
    "type=image,source=busybox,target=/i,image-subpath=bin",
    { Type: "image", Source: "busybox", Target: "/i", ImageOptions: { Subpath: "bin" } },
  ],
  ['type=bind,"source=/a,b",target=/c', { Type: "bind", Source: "/a,b", Target: "/c" }],
];

for (const [text, want] of table) {
  test(`--mount ${text}`, () => {
    expect(JSON.parse(JSON.stringify(parseMount(text, "/work")))).toEqual(want);
  });
}

const wrong: [string, string][] = [
  [
    "type=bind, source=/a,target=/b",
    "invalid option 'source' in ' source=/a': option should not have whitespace",
  ],
  ["target= /a", "invalid value for 'target' in 'target= /a': value should not have whitespace"],
  ["target=", "invalid value for 'target': value is empty"],
  [
    "type=bind,source=/a,target=/b,bind-recursive=some",
    'must be "enabled", "disabled", "writable", or "readonly"',
  ],
  [
    "type=bind,source=/a,target=/b,bind-recursive=writable",
    "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction",
  ],
  [
    "type=bind,source=/a,target=/b,readonly,bind-recursive=readonly",
    "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
  ],
  ["type=bind,source=/a", "target is required"],
  ["type=nope,target=/a", 'mount type unknown: "nope"'],
  ["target=/a,nope=1", "unknown option 'nope' in 'nope=1'"],
  ["target=/a,constructor=1", "unknown option 'constructor'"],
  ["target=/a,source", "invalid field 'source' must be a key=value pair"],
  ["target=/a,readonly=maybe", "invalid value for readonly: maybe"],
  ["type=tmpfs,target=/a,tmpfs-mode=9", "invalid value for tmpfs-mode: 9"],
  ["type=bind,source=/a,target=/b,volume-nocopy", "cannot mix 'volume-*' options with mount type 'bind'"],
  ["target=/a,tmpfs-size=1m", "cannot mix 'tmpfs-*' options with mount type 'volume'"],
];

for (const [text, message] of wrong) {
  test(`--mount ${text} is refused`, () => expect(() => parseMount(text, "/")).toThrow(message));
}
