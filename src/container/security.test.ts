import { expect } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { needs } from "../../test/needs.ts";
import { busyboxLayer, openRealEngine } from "./_fixtures/real-rooms.ts";
import { execute, runToEnd } from "./_fixtures/run-containers.ts";
import { createRequest } from "./_fixtures/requests.ts";

const real = needs("root", "overlay", "crun", "conmon", "busybox", "nft");
const NEVER = new AbortController().signal;

/** Exact ids, groups and capabilities by USER form, in the container and in its execs (CVE-2022-36109 and kin). */
const USERS: [user: string | undefined, host: Record<string, unknown>, id: string][] = [
  [undefined, {}, "uid=0(root) gid=0(root) groups=0(root)"],
  ["app", {}, "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"],
  ["1000", {}, "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)"],
  ["app:extra", {}, "uid=1000(app) gid=2000(extra) groups=2000(extra)"],
  ["4242", {}, "uid=4242 gid=0(root) groups=0(root)"],
  ["4242:4343", { GroupAdd: ["extra"] }, "uid=4242 gid=4343 groups=2000(extra),4343"],
];
for (const [user, host, want] of USERS) {
  real(`user ${user ?? "unset"} is ${want}, and inherits no capability`, async () => {
    await using engine = await openRealEngine();
    const { containers } = engine;
    const show = "id; cat /proc/self/status";
    const first = await runToEnd(engine, { User: user, Cmd: ["sh", "-c", show] }, host);
    const { id } = await containers.create(createRequest({ User: user, Cmd: ["sleep", "60"] }, host), NEVER);
    await containers.start(id);
    const exec = await execute(containers, id, ["sh", "-c", show]);
    for (const text of [first.output, exec.output]) {
      expect(text.split("\n")[0]).toBe(want);
      expect(text).toMatch(/CapInh:\t0000000000000000/);
    }
  });
}

for (const user of ["-1", "2147483648", "4294967296", "nobody-here", "0:nogroup-here"]) {
  real(`user ${user} is refused`, async () => {
    await using engine = await openRealEngine();
    const { id } = await engine.containers.create(createRequest({ User: user, Cmd: ["true"] }), NEVER);
    expect(engine.containers.start(id)).rejects.toThrow(/unable to find|must be in range/);
    await engine.containers.start(id).catch(() => undefined);
    expect(engine.mounts()).toEqual([]);
  });
}

/** CVE-2026-41579 and kin: what an image made of its own folders leads nowhere outside its root. */
const HOSTILE: [string, string, string][] = [
  ["/dev as an absolute link", "dev", "/host"],
  ["/etc as a relative link out", "etc", "../../../../../../host"],
  ["/proc as a looping link", "proc", "proc"],
  ["/sys as a link to /etc", "sys", "/etc"],
  ["a volume's folder as an absolute link", "data", "/host"],
  ["a volume's folder as a relative link out", "data", "../../../../../../../../host"],
];
for (const [name, path, target] of HOSTILE) {
  real(`an image with ${name} runs inside its root or is refused; the host is untouched`, async () => {
    await using engine = await openRealEngine();
    const canary = `${engine.folder}/canary`;
    mkdirSync(canary);
    await engine.addImage("hostile", (root) => {
      busyboxLayer(root);
      rmSync(`${root}/${path}`, { recursive: true, force: true });
      symlinkSync(target.replace("/host", canary), `${root}/${path}`);
    });
    const config = { Image: "hostile", Cmd: ["touch", "/data/in/file"], WorkingDir: "/sys/made" };
    const request = createRequest(config, {
      Binds: ["dc-vol:/data/in", "/data/anon"],
      Tmpfs: { "/data/tmp": "" },
    });
    const created = await engine.containers.create(request, NEVER).catch(() => undefined);
    if (created) {
      const over = engine.containers.wait(created.id, "next-exit", NEVER);
      const isUp = await engine.containers.start(created.id).then(
        () => true,
        () => false,
      );
      if (isUp) await over;
    }
    expect(readdirSync(canary)).toEqual([]);
    expect(engine.mounts()).toEqual([]);
  });
}

for (const path of ["/proc/self/fd/7", "/proc/1/fd/9/../x", "//proc//self//fd"]) {
  real(`a working directory of ${path} is refused`, async () => {
    await using engine = await openRealEngine();
    const request = createRequest({ Cmd: ["true"], WorkingDir: path });
    expect(engine.containers.create(request, NEVER)).rejects.toMatchObject({ kind: "invalid" });
    await engine.containers.create(request, NEVER).catch(() => undefined);
    expect(engine.mounts()).toEqual([]);
  });
}

/** Keys that some runtime, engine or orchestrator obeys, and any others; seeded, so that a failure comes again. */
function hostileLabels(count: number): Map<string, string> {
  const prefixes =
    "run.oci.seccomp_bpf_data run.oci.hooks.stdout run.oci.handler run.oci.keep_original_groups run.oci.systemd.subgroup org.systemd.property.ExecStart io.podman.annotations.privileged io.podman.annotations.seccomp io.podman.annotations.userns io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel io.kubernetes.cri.untrusted-workload cdi.k8s.io/x com.docker.seccomp io.darse.privileged __proto__ constructor HostConfig.Privileged devices mounts".split(
      " ",
    );
  const values = [
    "true",
    "1",
    "host",
    "unconfined",
    "/etc/shadow:/etc/shadow",
    '{"privileged":true}',
    "",
    "a\nb=c",
  ];
  let seed = 42;
  const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  const labels = new Map<string, string>();
  while (labels.size < count) {
    const prefix = prefixes[next(prefixes.length)] ?? "";
    const key =
      labels.size < prefixes.length ? (prefixes[labels.size] ?? prefix) : `${prefix}.${next(1_000_000)}`;
    labels.set(key, values[next(values.length)] ?? "");
  }
  return labels;
}

real(
  "10,000 labels of an image leave the runtime's configuration as it is byte for byte (CVE-2026-94603)",
  async () => {
    await using engine = await openRealEngine();
    const { containers, folder } = engine;
    const plain = { cmd: ["sleep", "60"], env: ["PATH=/bin"] };
    await engine.addImage("plain", busyboxLayer, plain);
    await engine.addImage("labelled", busyboxLayer, { ...plain, labels: hostileLabels(10_000) });
    const configs: string[] = [];
    for (const Image of ["plain", "plain", "labelled"]) {
      const { id } = await containers.create(
        createRequest({ Image, Hostname: "same", Cmd: ["sleep", "60"] }),
        NEVER,
      );
      await containers.start(id);
      const text = readFileSync(`${folder}/run/containers/${id}/config.json`, "utf8").replaceAll(id, "ID");
      await containers.remove(id, { force: true, removesVolumes: true });
      // The first container of a profile has it compiled, and those after it bring it along.
      configs.push(text);
    }
    expect(configs[2] === configs[1]).toBe(true);
  },
  30_000,
);
