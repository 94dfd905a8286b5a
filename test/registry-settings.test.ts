import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { DARSE, run, TestEngine } from "./engine.ts";
import { type Certificate, TestAuthority } from "./fixtures/certificates.ts";
import { type DockerRegistry, startDockerRegistry } from "./fixtures/docker-registry.ts";
import { needs } from "./needs.ts";

// An engine told by its flags and files how registries are reached, seen through the docker command line.

const told = needs("root", "crun", "conmon", "docker-cli", "docker-registry", "openssl");

let engine: TestEngine;
let plain: DockerRegistry;
let secure: DockerRegistry;
let authority: TestAuthority;
let own: Certificate;

beforeAll(async () => {
  authority = await TestAuthority.create();
  own = await authority.issue("client");
  const tls = { certificate: await authority.issue("server"), clientAuthority: authority.own };
  [plain, secure] = await Promise.all([startDockerRegistry(), startDockerRegistry({ tls })]);
  engine = await TestEngine.start(async ({ folder, flags }) => {
    const hosts = join(folder, "hosts");
    const add = (host: string, files: Readonly<Record<string, string>>): void => {
      mkdirSync(join(hosts, host), { recursive: true });
      for (const [name, text] of Object.entries(files)) writeFileSync(join(hosts, host, name), text);
    };
    add(secure.host, { "ca.crt": authority.own.certificate, "us.cert": own.certificate, "us.key": own.key });
    add("registry.example", { "hosts.toml": `server = "http://${plain.host}"\n` });
    add("cached.example", {
      "hosts.toml": `server = "http://127.0.0.1:1"\n[host."http://${plain.host}"]\ncapabilities = ["pull", "resolve"]\n`,
    });
    const settings = {
      "insecure-registries": ["registry.example"],
      "registry-mirrors": [`http://${plain.host}`],
    };
    writeFileSync(join(folder, "daemon.json"), JSON.stringify(settings));
    flags.push("--config-file", join(folder, "daemon.json"), "--registry-hosts", hosts);
  });
}, 60_000);

afterAll(async () => {
  await Promise.all([
    engine[Symbol.asyncDispose](),
    plain[Symbol.asyncDispose](),
    secure[Symbol.asyncDispose](),
  ]);
  authority[Symbol.dispose]();
}, 60_000);

/** Tags busybox, pushes it, removes it and pulls it back. @returns the digest of the push and of the pull */
async function roundTrip(name: string, pulledAs = name): Promise<readonly [string, string]> {
  await engine.docker(["tag", "busybox:latest", name]);
  const pushed = await engine.docker(["push", name]);
  expect(pushed.stderr).toBe("");
  await engine.docker(["rmi", name]);
  const pulled = await engine.docker(["pull", pulledAs]);
  expect(pulled.stderr).toBe("");
  const digest = (text: string): string => /digest: (sha256:[0-9a-f]{64})/i.exec(text)?.[1] ?? "";
  return [digest(pushed.stdout), digest(pulled.stdout)];
}

told("an image goes to a plain registry and comes back under the digest it was pushed under", async () => {
  const name = `${plain.host}/team/busybox:1`;
  const [pushed, pulled] = await roundTrip(name);
  expect(pushed).toStartWith("sha256:");
  expect(pulled).toBe(pushed);
  const inspected = await engine.docker(["inspect", "-f", "{{index .RepoDigests 0}}", name]);
  expect(inspected.stdout.trim()).toBe(`${plain.host}/team/busybox@${pushed}`);
  const ran = await engine.docker(["run", "--rm", name, "echo", "it runs"]);
  expect(ran.stdout).toBe("it runs\n");
});

told("what was pulled is pushed elsewhere under the same digest, mounted", async () => {
  const first = `${plain.host}/team/busybox:2`;
  const [pushed] = await roundTrip(first);
  await engine.docker(["tag", first, `${plain.host}/other/busybox:2`]);
  const again = await engine.docker(["push", `${plain.host}/other/busybox:2`]);
  expect(again.stdout).toContain("Mounted from team/busybox");
  expect(again.stdout).toContain(`2: digest: ${pushed} size:`);
});

told("a registry with TLS that wants our certificate gets it", async () => {
  const [pushed, pulled] = await roundTrip(`${secure.host}/busybox:1`);
  expect(pulled).toBe(pushed);
});

told("hosts.toml says where a name is served, and which cache comes before it", async () => {
  const [pushed, pulled] = await roundTrip("registry.example/app:1", "cached.example/app:1");
  expect(pulled).toBe(pushed);
});

told("a mirror of Docker's registry answers for its names", async () => {
  const name = `${plain.host}/library/mirrored:1`;
  const [pushed, pulled] = await roundTrip(name, "mirrored:1");
  expect(pulled).toBe(pushed);
});

told("distribution inspect and docker info know the same registries", async () => {
  await roundTrip(`${plain.host}/seen:1`);
  const answer = await engine.api("GET", `/distribution/${plain.host}/seen:1/json`);
  expect(answer.body).toMatchObject({ Platforms: [{ os: "linux" }] });
  const info = await engine.docker(["info", "-f", "{{json .RegistryConfig}}"]);
  expect(JSON.parse(info.stdout)).toMatchObject({
    IndexConfigs: { "registry.example": { Secure: false } },
    Mirrors: [`http://${plain.host}/`],
  });
});

told("a configuration file that says what nobody understands stops the engine before it starts", async () => {
  const path = join(engine.folder, "wrong.json");
  writeFileSync(path, '{"log-drivr":"x"}');
  const { code, stderr } = await run(DARSE, ["daemon", "--config-file", path]);
  expect([code, stderr.includes("don't match any configuration option: log-drivr")]).toEqual([1, true]);
});
