import { expect, test } from "bun:test";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { diskUsage } from "./system-df.ts";
import { pruneSystem } from "./system-prune.ts";

const hour = "2026-01-01T11:00:00Z";
const usage = {
  ImageUsage: {
    ActiveCount: 1,
    TotalCount: 2,
    TotalSize: 3_000_000,
    Reclaimable: 1_000_000,
    Items: [
      {
        Id: `sha256:${"a".repeat(64)}`,
        RepoTags: ["web:1", "web:2"],
        RepoDigests: [],
        Created: Date.parse(hour) / 1000,
        Size: 2_000_000,
        SharedSize: 500_000,
        Containers: 1,
      },
    ],
  },
  ContainerUsage: {
    ActiveCount: 0,
    TotalCount: 1,
    TotalSize: 10,
    Reclaimable: 10,
    Items: [
      {
        Id: "c".repeat(64),
        Names: ["/one"],
        Image: "web:1",
        ImageID: "x",
        Command: "sh",
        Created: Date.parse(hour) / 1000,
        Mounts: [{ Driver: "local", Name: "v" }],
        SizeRw: 10,
        SizeRootFs: 99,
        State: "exited",
        Status: "Exited (0)",
      },
    ],
  },
  VolumeUsage: {
    ActiveCount: 0,
    TotalCount: 0,
    TotalSize: 0,
    Reclaimable: 0,
    Items: [{ Name: "v", Driver: "local", Scope: "local", UsageData: { Size: 7, RefCount: 2 } }],
  },
  BuildCacheUsage: {
    ActiveCount: 0,
    TotalCount: 2,
    TotalSize: 4000,
    Reclaimable: 4000,
    Items: [
      {
        ID: "b".repeat(30),
        Type: "regular",
        Description: "RUN x",
        InUse: true,
        Shared: false,
        Size: 4000,
        CreatedAt: hour,
        LastUsedAt: hour,
        UsageCount: 3,
      },
      {
        ID: "never",
        Type: "regular",
        Description: "",
        InUse: false,
        Shared: true,
        Size: 0,
        CreatedAt: hour,
        LastUsedAt: null,
        UsageCount: 0,
      },
    ],
  },
};

test("system df sums up by kind", async () => {
  await using engine = await FakeEngine.open({ "GET /system/df": () => ({ json: usage }) });
  const world = fakeWorld(engine.client);
  await runInWorld(diskUsage, [], world);
  expect(world.out.text).toBe(`TYPE            TOTAL     ACTIVE    SIZE      RECLAIMABLE
Images          2         1         3MB       1MB (33%)
Containers      1         0         10B       10B (100%)
Local Volumes   0         0         0B        0B
Build Cache     2         0         4kB       4kB
`);
  expect(engine.seen[0]?.query.get("verbose")).toBe("0");
});

test("system df -v has a table for each kind", async () => {
  await using engine = await FakeEngine.open({ "GET /system/df": () => ({ json: usage }) });
  const world = fakeWorld(engine.client);
  await runInWorld(diskUsage, ["-v"], world);
  expect(world.out.text).toBe(`Images space usage:

REPOSITORY   TAG       IMAGE ID       CREATED             SIZE      SHARED SIZE   UNIQUE SIZE   CONTAINERS
web          1         aaaaaaaaaaaa   About an hour ago   2MB       500kB         1.5MB         1

Containers space usage:

CONTAINER ID   IMAGE     COMMAND   LOCAL VOLUMES   SIZE      CREATED             STATUS       NAMES
cccccccccccc   web:1     "sh"      1               10B       About an hour ago   Exited (0)   one

Local Volumes space usage:

VOLUME NAME   LINKS     SIZE
v             2         7B

Build cache usage: 4kB

CACHE ID        CACHE TYPE   SIZE      CREATED             LAST USED           USAGE     SHARED
never           regular      0B        About an hour ago                       0         true
bbbbbbbbbbbb*   regular      4kB       About an hour ago   About an hour ago   3         false
`);
});

const formats: [string[], string][] = [
  [["--format", "{{.Type}} {{.Size}}"], "Images 3MB\nContainers 10B\nLocal Volumes 0B\nBuild Cache 4kB\n"],
  [["-v", "--format", "{{range .Volumes}}{{.Name}}:{{.Size}}{{end}}"], "v:7B"],
];
for (const [argv, output] of formats) {
  test(`system df ${argv.join(" ")}`, async () => {
    await using engine = await FakeEngine.open({ "GET /system/df": () => ({ json: usage }) });
    const world = fakeWorld(engine.client);
    await runInWorld(diskUsage, argv, world);
    expect(world.out.text).toBe(output);
  });
}

test("system df -v --format json is one document", async () => {
  await using engine = await FakeEngine.open({ "GET /system/df": () => ({ json: usage }) });
  const world = fakeWorld(engine.client);
  await runInWorld(diskUsage, ["-v", "--format", "json"], world);
  expect(JSON.parse(world.out.text)).toMatchObject({
    Images: [{ Repository: "web" }],
    Volumes: [{ Links: "2" }],
  });
});

async function prunable(): Promise<FakeEngine> {
  return await FakeEngine.open({
    "POST /containers/prune": () => ({ json: { ContainersDeleted: ["c"], SpaceReclaimed: 1 } }),
    "POST /networks/prune": () => ({ json: { NetworksDeleted: null } }),
    "POST /volumes/prune": () => ({ json: { VolumesDeleted: ["v"], SpaceReclaimed: 2 } }),
    "POST /images/prune": () => ({
      json: { ImagesDeleted: [{ Untagged: "a:1" }, { Deleted: "sha256:1" }], SpaceReclaimed: 3 },
    }),
    "POST /build/prune": () => ({ json: { CachesDeleted: ["b"], SpaceReclaimed: 4 } }),
  });
}

test("system prune goes from containers to the cache, and sums up", async () => {
  await using engine = await prunable();
  const world = fakeWorld(engine.client);
  await runInWorld(pruneSystem, ["-af", "--volumes", "--filter", "label=x"], world);
  expect(world.out.text).toBe(`Deleted Containers:
c

Deleted Volumes:
v

Deleted Images:
untagged: a:1
deleted: sha256:1

Deleted build cache objects:
b

Total reclaimed space: 10B
`);
  expect(engine.seen.map(({ query }) => query.get("filters"))).toEqual([
    '{"label":["x"]}',
    '{"label":["x"]}',
    '{"label":["x"]}',
    '{"label":["x"],"dangling":["false"]}',
    '{"label":["x"]}',
  ]);
  expect(engine.seen.at(-1)?.query.get("all")).toBe("1");
});

test("system prune says what goes, and leaves volumes alone unless they are named", async () => {
  await using engine = await prunable();
  const world = fakeWorld(engine.client, "y\n");
  await runInWorld(pruneSystem, ["--filter", "until=1h"], world);
  expect(world.out.text).toStartWith(`WARNING! This will remove:
  - all stopped containers
  - all networks not used by at least one container
  - all dangling images
  - unused build cache

  Items to be pruned will be filtered with:
  - until=1h

Are you sure you want to continue? [y/N] Deleted Containers:`);
  expect(engine.calls).not.toContain("POST /volumes/prune");
  const both = runInWorld(pruneSystem, ["-f", "--volumes", "--filter", "until=1h"], world);
  expect(both).rejects.toThrow('The "until" filter is not supported with "--volumes"');
});
