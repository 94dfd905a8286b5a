import { expect, test } from "bun:test";
import { Fields } from "#base/decode.ts";
import { CONTAINER_CONFIG } from "./container-config.ts";
import { decodeTable } from "./field-table.ts";
import { HOST_CONFIG } from "./host-config.ts";
import { planMounts } from "./mount-plan.ts";
import { type MountPoint, plainMount } from "./mount-point.ts";

const others: readonly MountPoint[] = [
  { ...plainMount("volume", "/shared"), name: "theirs", isAnonymous: true },
  plainMount("tmpfs", "/scratch"),
];

const plan = (host: object, volumes: readonly string[] = []): MountPoint[] =>
  planMounts(
    decodeTable(
      CONTAINER_CONFIG,
      new Fields({ Volumes: Object.fromEntries(volumes.map((path) => [path, {}])) }),
    ),
    decodeTable(HOST_CONFIG, new Fields(host)),
    () => others,
  );

const brief = ({ type, name, source, destination, isWritable, isAnonymous }: MountPoint): string =>
  `${type} ${name ?? source ?? (isAnonymous ? "(new)" : "-")} ${destination}${isWritable ? "" : " ro"}`;

const table: [string, object, string[], string[]][] = [
  ["a path binds", { Binds: ["/data:/srv"] }, [], ["bind /data /srv"]],
  ["a name is a volume", { Binds: ["web:/srv:ro"] }, [], ["volume web /srv ro"]],
  ["a path alone is an anonymous volume", { Binds: ["/srv"] }, [], ["volume (new) /srv"]],
  ["paths are cleaned", { Binds: ["/a/../b/:/srv//x/"] }, [], ["bind /b /srv/x"]],
  ["an image's volume is anonymous", {}, ["/var/lib"], ["volume (new) /var/lib"]],
  ["nothing is made where something is mounted", { Binds: ["web:/srv"] }, ["/srv"], ["volume web /srv"]],
  [
    "parents are mounted first",
    { Binds: ["/x:/a/b/c", "/y:/a"], Tmpfs: { "/a/b": "" } },
    [],
    ["bind /y /a", "tmpfs - /a/b", "bind /x /a/b/c"],
  ],
  [
    "mounts of the newer form",
    {
      Mounts: [
        { Type: "bind", Source: "/data", Target: "/srv", ReadOnly: true },
        { Type: "volume", Source: "web", Target: "/web" },
        { Type: "volume", Target: "/anon" },
        { Type: "tmpfs", Target: "/run", TmpfsOptions: { SizeBytes: 4096, Mode: 448 } },
      ],
    },
    [],
    ["bind /data /srv ro", "volume web /web", "volume (new) /anon", "tmpfs - /run"],
  ],
  [
    "an image, read-only",
    { Mounts: [{ Type: "image", Source: "busybox", Target: "/i", ImageOptions: { Subpath: "bin" } }] },
    [],
    ["image busybox /i ro"],
  ],
  [
    "volumes of another container, without its tmpfs",
    { VolumesFrom: ["x:ro"] },
    [],
    ["volume theirs /shared ro"],
  ],
];

for (const [name, host, volumes, want] of table) {
  test(name, () => expect(plan(host, volumes).map(brief)).toEqual(want));
}

test("an inherited volume is not ours to remove, nor to fill", () => {
  expect(plan({ VolumesFrom: ["x"] })[0]).toMatchObject({ isAnonymous: false, isWritable: true });
});

const refusals: [object, string][] = [
  [{ Binds: [""] }, "invalid volume specification: ''"],
  [{ Binds: ["/a:/b:ro:x"] }, "invalid volume specification: '/a:/b:ro:x'"],
  [
    { Binds: ["/a:b"] },
    "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute",
  ],
  [
    { Binds: ["/a:/"] },
    "invalid volume specification: '/a:/': invalid specification: destination can't be '/'",
  ],
  [{ Binds: ["/a:/b:ro,rw"] }, "invalid mode: ro,rw"],
  [{ Binds: ["/a:/b:nocopy"] }, "invalid mode: nocopy"],
  [{ Binds: ["../x:/b"] }, 'create ../x: "../x" includes invalid characters for a local volume name'],
  [{ Binds: ["/a:/b", "/c:/b"] }, "Duplicate mount point: /b"],
  [{ Binds: ["/a:/b"], Tmpfs: { "/b": "" } }, "Duplicate mount point: /b"],
  [
    { Mounts: [{ Type: "bind", Target: "/b" }] },
    'invalid mount config for type "bind": field Source must not be empty',
  ],
  [
    { Mounts: [{ Type: "bind", Source: "/a" }] },
    'invalid mount config for type "bind": field Target must not be empty',
  ],
  [
    { Mounts: [{ Type: "bind", Source: "a", Target: "/b" }] },
    `invalid mount config for type "bind": invalid mount path: 'a' mount path must be absolute`,
  ],
  [
    { Mounts: [{ Type: "tmpfs", Source: "a", Target: "/b" }] },
    'invalid mount config for type "tmpfs": field Source must not be specified',
  ],
  [
    { Mounts: [{ Type: "tmpfs", Target: "/b", BindOptions: {} }] },
    'invalid mount config for type "tmpfs": field BindOptions must not be specified',
  ],
  [
    { Mounts: [{ Type: "image", Target: "/b" }] },
    'invalid mount config for type "image": field Source must not be empty',
  ],
  [
    { Mounts: [{ Type: "image", Source: "i", Target: "/b", ImageOptions: { Subpath: "/x" } }] },
    "subpath must be a relative path within the image",
  ],
  [{ Mounts: [{ Type: "cluster", Source: "c", Target: "/b" }] }, "cluster volumes need a swarm"],
  [{ Mounts: [{ Type: "npipe", Target: "/b" }] }, 'mount type unknown: "npipe"'],
  [
    { Mounts: [{ Type: "volume", Source: "v", Target: "/b", VolumeOptions: { Subpath: "../x" } }] },
    "subpath must be a relative path within the volume",
  ],
  [{ Tmpfs: { "/b": "size=1m,exec=/x y" } }, 'invalid tmpfs option ["exec=/x y"]'],
  [{ VolumesFrom: ["x:nope"] }, "invalid mode: nope"],
];

for (const [host, message] of refusals) {
  test(`refuses ${JSON.stringify(host)}`, () => expect(() => plan(host)).toThrow(message));
}
