import { createServer, type Server } from "node:http";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect } from "bun:test";
import { guestFile } from "./clients/guest.ts";
import { DARSE, type Output, run, type RunOptions, TestEngine } from "./engine.ts";
import { type DockerRegistry, startDockerRegistry } from "./fixtures/docker-registry.ts";
import { needs } from "./needs.ts";

// login, logout, push, pull and search by the unmodified docker command line and by ours, at a registry with a password.

const signed = needs("root", "crun", "conmon", "docker-cli", "docker-registry");

const USER = { name: "anna", password: "pass:word" };

let engine: TestEngine;
let registry: DockerRegistry;
let index: Server;

beforeAll(async () => {
  [engine, registry] = await Promise.all([TestEngine.start(), startDockerRegistry({ user: USER })]);
  index = createServer((request, response) => {
    const words = new URL(request.url ?? "", "http://index").searchParams.get("q");
    const result = (name: string, stars: number, isOfficial: boolean): object => ({
      name,
      description: `about ${words}`,
      star_count: stars,
      is_official: isOfficial,
      is_automated: false,
    });
    const results = [result("busybox", 3000, true), result("anna/busybox", 2, false)];
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ num_results: 2, query: words, results }));
  });
  await new Promise<void>((resolve) => index.listen(0, "127.0.0.1", resolve));
}, 60_000);

afterAll(async () => {
  await Promise.all([engine[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()]);
  index.closeAllConnections();
  await new Promise((resolve) => index.close(resolve));
}, 60_000);

type Name = "docker" | "darse";
const NAMES: readonly Name[] = ["docker", "darse"];

const folderOf = (settings: string): string => join(engine.folder, settings);

/** @param settings the name of the folder of settings, for those who share one */
function call(
  name: Name,
  args: readonly string[],
  { settings = name, ...options }: RunOptions & { readonly settings?: string } = {},
): Promise<Output> {
  const env = { ...options.env, DOCKER_CONFIG: folderOf(settings) };
  return engine[name](args, { ...options, env });
}

const login = (name: Name, settings: string = name): Promise<Output> =>
  call(name, ["login", "-u", USER.name, "--password-stdin", registry.host], {
    input: `${USER.password}\n`,
    settings,
  });

const auths = (settings: string): unknown =>
  (JSON.parse(readFileSync(join(folderOf(settings), "config.json"), "utf8")) as { auths: unknown }).auths;

signed("a wrong password is refused, and not kept", async () => {
  for (const name of NAMES) {
    const args = ["login", "-u", USER.name, "-p", "wrong", registry.host];
    const { code, stdout, stderr } = await call(name, args, { settings: `${name}-wrong` });
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toStartWith("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n");
    expect(existsSync(join(folderOf(`${name}-wrong`), "config.json"))).toBe(false);
  }
});

signed("login says and keeps the same; logout forgets it", async () => {
  const outputs: unknown[] = [];
  for (const name of NAMES) {
    const { code, stdout, stderr } = await login(name);
    outputs.push({ code, stdout, stderr: stderr.replace(folderOf(name), ""), auths: auths(name) });
    const again = await call(name, ["login", registry.host]);
    expect(again.stdout).toBe("Login Succeeded\n");
    expect(again.stderr).toStartWith("Authenticating with existing credentials...");
    const out = await call(name, ["logout", registry.host]);
    expect(out).toEqual({ code: 0, stdout: `Removing login credentials for ${registry.host}\n`, stderr: "" });
    expect(auths(name)).toEqual({});
  }
  expect(outputs[1]).toEqual(outputs[0]);
});

signed("login asks the registry itself where no engine answers", async () => {
  for (const name of NAMES) {
    const options = {
      env: { DOCKER_HOST: "unix:///nonexistent" },
      settings: `${name}-alone`,
      input: USER.password,
    };
    const args = ["login", "-u", USER.name, "--password-stdin", registry.host];
    expect((await call(name, args, options)).stdout).toBe("Login Succeeded\n");
    expect((await call(name, args, { ...options, input: "wrong" })).code).toBe(1);
  }
  expect(auths("darse-alone")).toEqual(auths("docker-alone"));
});

signed("push and pull sign in with what either has kept", async () => {
  const said: string[] = [];
  for (const [name, other] of [NAMES, NAMES.toReversed()]) {
    if (!name || !other) continue;
    await login(name, "shared");
    const image = `${registry.host}/team/${name}:1`;
    await engine.darse(["tag", "busybox", image]);
    const denied = await call(other, ["push", image], { settings: "nobody" });
    expect(denied.code).toBe(1);
    const pushed = await call(other, ["push", image], { settings: "shared" });
    expect({ code: pushed.code, stderr: pushed.stderr }).toEqual({ code: 0, stderr: "" });
    await engine.darse(["rmi", image]);
    const refused = await call(other, ["pull", image], { settings: "nobody" });
    expect(refused.code).toBe(1);
    const pulled = await call(other, ["pull", image], { settings: "shared" });
    expect(pulled.stdout.trimEnd().split("\n").slice(-2)).toEqual([
      expect.stringMatching(/^Status: /),
      image,
    ]);
    said.push(pushed.stdout.replaceAll(name, "X").split("\n").toSorted().join("\n"));
    await call(other, ["logout", registry.host], { settings: "shared" });
  }
  // Where blobs are mounted from may differ; the digest may not.
  const digest = (text: string | undefined): string | undefined =>
    /digest: (sha256:\S+)/.exec(text ?? "")?.[1];
  expect(digest(said[1])).toBe(digest(said[0]) ?? "no digest");
});

signed("run signs in for the image that it misses", async () => {
  await login("darse", "run");
  const image = `${registry.host}/team/run:1`;
  await engine.darse(["tag", "busybox", image]);
  await call("darse", ["push", "-q", image], { settings: "run" });
  await engine.darse(["rmi", image]);
  const without = await call("darse", ["run", "--rm", image, "true"], { settings: "nobody" });
  expect(without.code).toBe(125);
  const { code, stdout } = await call("darse", ["run", "--rm", image, "echo", "here"], { settings: "run" });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "here\n" });
});

signed("a credential helper serves both", async () => {
  const bin = join(engine.folder, "bin");
  await mkdir(bin);
  await mkdir(folderOf("helped"));
  const helper = join(bin, "docker-credential-test");
  // keeps one answer for everybody
  await writeFile(
    helper,
    `#!/bin/sh
kept=$0.kept
case $1 in
store) cat >"$kept" ;;
get) cat "$kept" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
erase) rm -f "$kept" ;;
list) echo '{}' ;;
esac
`,
  );
  await chmod(helper, 0o755);
  await writeFile(join(folderOf("helped"), "config.json"), JSON.stringify({ credsStore: "test" }));
  const env = { PATH: `${bin}${delimiter}${process.env["PATH"]}` };
  for (const name of NAMES) {
    const options = { env, settings: "helped", input: USER.password };
    const args = ["login", "-u", USER.name, "--password-stdin", registry.host];
    expect(await call(name, args, options)).toEqual({ code: 0, stdout: "Login Succeeded\n", stderr: "" });
    expect(auths("helped")).toEqual({ [registry.host]: {} });
    const image = `${registry.host}/team/helped:1`;
    await engine.darse(["tag", "busybox", image]);
    for (const other of NAMES) expect((await call(other, ["push", "-q", image], options)).code).toBe(0);
    await call(name, ["logout", registry.host], options);
    expect(existsSync(`${helper}.kept`)).toBe(false);
  }
});

signed("login asks on a terminal, and does not show the password", async () => {
  const script = [
    ["expect", "Username: "],
    ["send", `${USER.name}\n`],
    ["expect", "Password: "],
    ["send", `wrong\x7f\x7f\x7f\x7f\x7f${USER.password}\n`],
    ["expect", "Login Succeeded"],
  ];
  const env = { DOCKER_HOST: `unix://${engine.socket}`, DOCKER_CONFIG: folderOf("typed") };
  const args = [guestFile("in-terminal.py"), JSON.stringify(script), DARSE, "login", registry.host];
  const { stdout } = await run("python3", args, { env });
  const { code, output } = JSON.parse(stdout) as { code: number; output: string };
  expect(code).toBe(0);
  expect(output).not.toContain("wrong");
  expect(output).not.toContain(USER.password);
  expect(auths("typed")).toEqual({
    [registry.host]: { auth: Buffer.from(`${USER.name}:${USER.password}`).toString("base64") },
  });
});

const searches: string[][] = [
  [],
  ["--no-trunc", "--limit", "1"],
  ["--filter", "stars=10"],
  ["--filter", "is-official=false"],
  ["--format", "{{.Name}} {{.StarCount}} {{.IsOfficial}} {{.Description}}"],
];
for (const flags of searches) {
  signed(`search ${flags.join(" ")} prints the same`, async () => {
    const address = index.address();
    const port = typeof address === "object" && address ? address.port : 0;
    const args = ["search", ...flags, `127.0.0.1:${port}/busybox`];
    const [docker, darse] = [await engine.docker(args), await engine.darse(args)];
    expect(darse).toEqual(docker);
    expect(darse.stdout).toContain("busybox");
  });
}
