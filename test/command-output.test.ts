import { afterAll, beforeAll, expect } from "bun:test";
import { type Output, type RunOptions, TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

// What lists, inspections and refusals look like: the unmodified docker command line and ours, on one engine.

const asked = needs("root", "crun", "conmon", "docker-cli");

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
  const set: string[][] = [
    ["tag", "busybox", "host.example:5000/team/app:1"],
    ["tag", "busybox", "team/app:2"],
    ["volume", "create", "--label", "a=b", "--label", "c", "data"],
    ["volume", "create", "other"],
    [
      "create",
      "--name",
      "web",
      "-p",
      "127.0.0.1::80",
      "-v",
      "data:/data",
      "-l",
      "x=y",
      "busybox",
      "sleep",
      "9",
    ],
    ["run", "--name", "done", "busybox", "sh", "-c", "exit 3"],
  ];
  for (const args of set) await engine.darse(args);
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

async function both(
  args: readonly string[],
  options: RunOptions = {},
): Promise<{ readonly docker: Output; readonly darse: Output }> {
  return { docker: await engine.docker(args, options), darse: await engine.darse(args, options) };
}

/** Times go on between two calls. */
const untimed = (text: string): string =>
  text
    .replaceAll(/(Less than a second|\d+ seconds?|About a minute|\d+ minutes?) ago/g, "some time ago")
    .replaceAll(/ {2,}/g, "  ");

/** docker lists the names of one image in no order. */
function comparable(line: string, text: string): string[] {
  const lines = untimed(text).split("\n");
  return line.startsWith("image") ? lines.toSorted() : lines;
}

/** `~` stands for a space within a word. */
const words = (line: string): string[] => line.split(" ").map((word) => word.replaceAll("~", " "));

const same: string[] = [
  "images",
  "images --digests --no-trunc team/app",
  "images -q",
  "images team/app",
  "images --filter reference=host.example*/*/*",
  "images --filter dangling=true",
  "images --format {{.Repository}}|{{.Tag}}|{{.Digest}}|{{.ID}}|{{.Size}}|{{.SharedSize}}|{{.UniqueSize}} team/app",
  "image ls --format {{json~.Tag}} team/app",
  "image history busybox",
  "history --no-trunc --human=false --format {{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}} busybox",
  "history -q busybox",
  "image inspect busybox --format {{.Id}}|{{json~.RepoTags}}|{{.Os}}/{{.Architecture}}|{{.RootFS.Layers}}|{{.Size}}",
  "image inspect --platform linux/amd64 -f {{.Os}} busybox",
  "inspect --type volume data --format {{.Name}}|{{json~.Labels}}|{{.Scope}}",
  "inspect web -f {{json~.HostConfig.PortBindings}}",
  "volume ls",
  "volume ls -q",
  "volume ls --filter label=a=b --format {{.Name}}|{{.Driver}}|{{.Label~`a`}}|{{.Scope}}",
  "volume ls --filter dangling=true --format {{.Name}}",
  "volume inspect other -f {{.Mountpoint}}",
  "network ls",
  "network ls --no-trunc -q",
  "network ls --filter driver=host --format {{.Name}}|{{.Driver}}|{{.Scope}}|{{.IPv6}}|{{.Internal}}",
  "network inspect bridge --format {{.Name}}|{{json~.IPAM.Config}}|{{json~.Options}}",
  "ps -a",
  "ps -a --size --no-trunc",
  "ps -aq --filter name=web",
  "ps -a --format {{.Names}}|{{.Image}}|{{.Command}}|{{.Mounts}}|{{.LocalVolumes}}|{{.Networks}}|{{.State}}",
  "port web",
  "system df",
  "system df -v",
  "system df --format {{.Type}}|{{.TotalCount}}|{{.Active}}|{{.Size}}|{{.Reclaimable}}",
  "system df -v --format {{range~.Volumes}}{{.Name}}|{{.Links}}|{{.Size}}~{{end}}",
  "image prune -f",
  "version --format {{.Server.Platform.Name}}|{{.Server.Os}}/{{.Server.Arch}}",
];
for (const line of same) {
  asked(`${line} prints the same`, async () => {
    const { docker, darse } = await both(words(line));
    expect(docker.code).toBe(0);
    expect(comparable(line, darse.stdout)).toEqual(comparable(line, docker.stdout));
    expect(darse).toMatchObject({ code: docker.code, stderr: docker.stderr });
  });
}

/** Both say this, and fail alike; before and after it each may say more. */
const refusals: [string, string][] = [
  ["image inspect nosuch", "No such image: nosuch"],
  ["image inspect --platform linux/s390x busybox", "linux/s390x"],
  ["history nosuch", "No such image: nosuch"],
  ["rmi nosuch", "No such image: nosuch"],
  ["tag nosuch a", "No such image: nosuch"],
  ["tag busybox A:1", "invalid reference format: repository name (library/A) must be lowercase"],
  ["push --all-tags busybox:1", "tag can't be used with --all-tags/-a"],
  ["pull --all-tags busybox:1", "tag can't be used with --all-tags/-a"],
  ["volume inspect nosuch", "nosuch"],
  ["volume rm nosuch", "nosuch"],
  ["volume rm data", "volume is in use"],
  ["volume prune --all --filter all=1", "conflicting options: cannot specify both --all and --filter all=1"],
  ["network inspect nosuch", "network nosuch not found"],
  ["network rm nosuch", "network nosuch not found"],
  ["network rm bridge", "bridge is a pre-defined network and cannot be removed"],
  ["network create --gateway 10.9.0.1 n", "every ip-range or gateway must have a corresponding subnet"],
  [
    "network create --subnet 10.9.0.0/16 --subnet 10.9.1.0/24 n",
    "multiple overlapping subnet configuration is not supported",
  ],
  ["network connect --driver-opt x bridge web", "invalid key/value pair format in driver options"],
  ["port web 99", "public port '99"],
  ["load -i /nonexistent", "open /nonexistent: no such file or directory"],
  ["import /nonexistent", "open /nonexistent: no such file or directory"],
  ["login --password-stdin h", "the --password-stdin option requires --username to be set"],
  ["run --network a --network a busybox", 'network "a" is specified multiple times'],
  ["run --network name=a,nope=1 busybox", "invalid field key nope"],
  [
    "run --network bridge --network-alias x busybox",
    "network-scoped aliases are only supported for user-defined networks",
  ],
  ["run --mac-address x busybox", "x is not a valid mac address"],
  ["run -p 99999 busybox", "invalid containerPort: 99999"],
  [
    "run --mount type=tmpfs,target=/a,volume-nocopy busybox",
    "cannot mix 'volume-*' options with mount type 'tmpfs'",
  ],
  ["run -v /a:/b:ro:x busybox", "invalid spec: /a:/b:ro:x: too many colons"],
];
for (const [line, text] of refusals) {
  asked(`${line} is refused alike`, async () => {
    const { docker, darse } = await both(words(line));
    expect(docker.stderr).toContain(text);
    expect(darse.stderr).toContain(text);
    expect(darse.code).toBe(docker.code);
  });
}

asked("system dial-stdio hands bytes to the engine and back", async () => {
  const input = "GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
  const { docker, darse } = await both(["system", "dial-stdio"], { input });
  expect(darse.stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/);
  expect(darse.code).toBe(docker.code);
});
