import { afterAll, beforeAll, expect } from "bun:test";
import { TestEngine } from "./engine.ts";
import { needs } from "./needs.ts";

// The same story told to the unmodified docker command line and to ours, on one engine: what each prints is compared.

const told = needs("root", "crun", "conmon", "nft", "docker-cli");

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

type Name = "docker" | "darse";

interface Line {
  readonly command: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `!` begins what fails; `@` stands for the names that belong to the teller, `10.S` for its addresses, `~` for a space within a word. */
async function tell(teller: Name, story: readonly string[]): Promise<Line[]> {
  const [own, subnet] = teller === "docker" ? ["anna", "10.213"] : ["bert", "10.214"];
  const lines: Line[] = [];
  const plain = (text: string): string =>
    text
      .replaceAll(own, "@")
      .replaceAll(subnet, "10.S")
      .replaceAll(/\b([0-9a-f]{64}|[0-9a-f]{12})\b/g, "ID")
      .replaceAll(/^(docker|darse): |(?<=Run ')(docker|darse)/gm, "PROGRAM")
      .replaceAll(/(?<=127\.0\.0\.1:)\d{4,5}\b/g, "PORT")
      // what is not there is called in other words by newer ones
      .replaceAll(/no public port '(\d+)(\/tcp)?'/gi, "no public port $1")
      .replaceAll(/^Error: /gm, "")
      // docker 28 and older say so after their errors
      .replaceAll(/^exit status \d\n/gm, "");
  for (const command of story) {
    const words = command
      .replace(/^!/, "")
      .split(" ")
      .map((word) => word.replaceAll("@", own).replaceAll("10.S", subnet).replaceAll("~", " "));
    const { code, stdout, stderr } = await engine[teller](words);
    lines.push({ command, code, stdout: plain(stdout), stderr: plain(stderr) });
  }
  return lines;
}

const stories: [string, string[]][] = [
  [
    "a network is made, looked at, joined, left and removed",
    [
      "network create --subnet 10.S.0.0/24 --gateway 10.S.0.254 --ip-range 10.S.0.128/25 --aux-address p=10.S.0.9 --label a=b --internal @",
      "network create @-two",
      "!network create @",
      "network inspect @ -f {{.Name}}|{{.Driver}}|{{.Internal}}|{{.EnableIPv6}}|{{.Labels.a}}",
      "network inspect @ -f {{range~.IPAM.Config}}{{.Subnet}}|{{.IPRange}}|{{.Gateway}}{{end}}",
      "network ls --filter name=@ --format {{.Name}}|{{.Driver}}|{{.Internal}}|{{.IPv6}}|{{.Scope}}",
      "run -d --name @-a --network name=@,alias=front,ip=10.S.0.7,mac-address=02:42:0a:00:00:07 busybox sleep 60",
      "inspect @-a -f {{range~.NetworkSettings.Networks}}{{.IPAddress}}|{{.MacAddress}}{{end}}",
      "run --rm --network @ busybox sh -c ping~-c~1~-W~5~front~|~grep~-c~seq=0",
      "network connect --alias other @-two @-a",
      "inspect @-a -f {{len~.NetworkSettings.Networks}}",
      "!network rm @ @-two",
      "network disconnect @-two @-a",
      "!network disconnect @-two @-a",
      "network rm @-two",
      "rm -f @-a",
      "network rm @",
      "!network rm @",
      "network rm -f @",
    ],
  ],
  [
    "ports and links say where a container is",
    [
      "run -d --name @-web -p 127.0.0.1::80 -p 127.0.0.1::81/udp busybox sleep 60",
      "port @-web",
      "port @-web 80",
      "port @-web 81/udp",
      "!port @-web 82",
      "run --rm --link @-web:data busybox sh -c grep~-c~data~/etc/hosts",
      "rm -f @-web",
    ],
  ],
  [
    "unused networks are pruned by their labels",
    [
      "network create --label prune=@ @-one",
      "network prune -f --filter label=prune=@",
      "network ls -q --filter name=@",
    ],
  ],
  [
    "what a network cannot be is refused",
    [
      "!network create --subnet 10.S.0.0/24 --gateway 10.7.0.1 @",
      "!network create --driver nosuch @",
      "!network connect nosuch @",
      "!network disconnect nosuch @",
      "!run --rm --network nosuch busybox true",
      "!run --rm --ip 10.S.0.1 busybox true",
    ],
  ],
  [
    "a volume is made, used, looked at and removed",
    [
      "volume create --label a=b @",
      "volume create @",
      "volume inspect @ -f {{.Name}}|{{.Driver}}|{{.Scope}}|{{.Labels.a}}",
      "volume ls --filter label=a=b --filter name=@ --format {{.Name}}|{{.Driver}}",
      "run --name @-user --mount type=volume,src=@,dst=/data,volume-nocopy busybox sh -c echo~kept~>/data/file",
      "run --rm -v @:/data:ro busybox cat /data/file",
      "!run --rm -v @:/data:ro busybox touch /data/other",
      "run --rm --volumes-from @-user:ro busybox cat /data/file",
      "run --rm --tmpfs /t:size=1m busybox sh -c df~-k~/t~|~tail~-1~|~awk~'{print~$2}'",
      "!volume rm @",
      "rm -v @-user",
      "volume rm @",
      "!volume rm @",
      "volume rm -f @",
    ],
  ],
  [
    "unused volumes are pruned, those with a name when it is asked",
    [
      "volume create --label prune=@ @-named",
      "volume prune -f --filter label=prune=@",
      "volume prune -af --filter label=prune=@",
      "volume ls -q --filter name=@",
    ],
  ],
  [
    "what a mount cannot be is refused",
    [
      "!run --rm --mount type=bind,src=/nonexistent,dst=/x busybox true",
      "!run --rm -v /a:/b:nosuch busybox true",
      "!run --rm -v ab:cd busybox true",
      "!volume create --driver nosuch @",
      "!volume create a/b",
    ],
  ],
];

for (const [name, story] of stories) {
  told(name, async () => {
    const lines = await tell("darse", story);
    expect(lines).toEqual(await tell("docker", story));
    expect(lines.map(({ code }) => code === 0)).toEqual(story.map((command) => !command.startsWith("!")));
  });
}

told("ports shows who reaches what of a container", async () => {
  await engine.darse(["run", "-d", "--name", "seen", "-p", "127.0.0.1::80", "busybox", "sleep", "60"]);
  const format = "{{.Container}}|{{.Port}}|{{.Loopback}}|{{.Outside}}";
  const { stdout } = await engine.darse(["ports", "--format", format, "seen"]);
  expect(stdout).toBe("seen|80/tcp|open|-\n");
  const table = await engine.darse(["ports"]);
  expect(table.stdout).toMatch(
    /^CONTAINER +PORT +PUBLISHED AT .*\nseen +80\/tcp +127\.0\.0\.1:\d+ +open +- /,
  );
  expect(await engine.darse(["ports", "nosuch"])).toMatchObject({
    code: 1,
    stderr: "No such running container: nosuch\n",
  });
  await engine.darse(["rm", "-f", "seen"]);
});
