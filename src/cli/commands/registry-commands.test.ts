import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { type FakeWorld, fakeWorld, runInWorld, type WorldOptions } from "../_testing/fake-context.ts";
import { FakeEngine, type Seen } from "../_testing/fake-engine.ts";
import { build } from "./build.ts";
import { login } from "./login.ts";
import { logout } from "./logout.ts";
import { pull } from "./pull.ts";
import { push } from "./push.ts";
import { search } from "./search.ts";

/** An engine whose registry knows `me` with the password `right`, and a folder of settings. */
class Desk implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "darse-login-"));
  readonly file = join(this.folder, "config.json");
  readonly engine: FakeEngine;

  private constructor(engine: FakeEngine) {
    this.engine = engine;
  }

  static async open(more: Parameters<typeof FakeEngine.open>[0] = {}): Promise<Desk> {
    const auth = ({ body }: Seen): { status?: number; json: unknown } => {
      const { username, password } = JSON.parse(String(body)) as { username: string; password: string };
      if (username === "token" && password === "right") {
        return { json: { Status: "Login Succeeded", IdentityToken: "idt" } };
      }
      const isRight = username === "me" && password === "right";
      if (isRight) return { json: { Status: "Login Succeeded", IdentityToken: "" } };
      return { status: 401, json: { message: "unauthorized: incorrect username or password" } };
    };
    return new Desk(await FakeEngine.open({ "POST /auth": auth, ...more }));
  }

  world(input = "", options: WorldOptions = {}): FakeWorld {
    return fakeWorld(this.engine.client, input, { configFolder: this.folder, ...options });
  }

  keep(address: string, text: string): void {
    const auth = Buffer.from(text).toString("base64");
    writeFileSync(this.file, JSON.stringify({ auths: { [address]: { auth } } }));
  }

  get auths(): Record<string, unknown> {
    return (JSON.parse(readFileSync(this.file, "utf8")) as { auths: Record<string, unknown> }).auths;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true });
  }
}

const right = { auth: Buffer.from("me:right").toString("base64") };

test("login --password-stdin asks the registry, keeps the password, and warns that it is readable", async () => {
  await using desk = await Desk.open();
  const world = desk.world("right\n");
  expect(await runInWorld(login, ["-u", "me", "--password-stdin", "https://host:5000/v2/"], world)).toBe(0);
  expect(world.out.text).toBe("Login Succeeded\n");
  expect(world.error.text).toBe(`
WARNING! Your credentials are stored unencrypted in '${desk.file}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`);
  expect(desk.auths).toEqual({ "host:5000": right });
  expect(JSON.parse(String(desk.engine.seen[0]?.body))).toEqual({
    username: "me",
    password: "right",
    serveraddress: "host:5000",
  });
});

test("login without a server is for Docker Hub, under its old address", async () => {
  await using desk = await Desk.open();
  const world = desk.world();
  await runInWorld(login, ["-u", "me", "-p", "right"], world);
  await runInWorld(login, ["-u", "me", "-p", "right", "docker.io"], desk.world());
  expect(Object.keys(desk.auths)).toEqual(["https://index.docker.io/v1/"]);
  expect(world.error.text).toStartWith(
    "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
  );
});

test("an identity token is kept instead of the password, without a warning", async () => {
  await using desk = await Desk.open();
  const world = desk.world("right");
  await runInWorld(login, ["-u", "token", "--password-stdin", "h"], world);
  expect(desk.auths).toEqual({ h: { auth: Buffer.from("token:").toString("base64"), identitytoken: "idt" } });
  expect(world.error.text).toBe("");
});

test("a refused login keeps nothing", async () => {
  await using desk = await Desk.open();
  expect(runInWorld(login, ["-u", "me", "-p", "wrong", "h"], desk.world())).rejects.toThrow(
    "unauthorized: incorrect username or password",
  );
  await runInWorld(login, ["-u", "me", "-p", "wrong", "h"], desk.world()).catch(() => undefined);
  expect(existsSync(desk.file)).toBe(false);
});

test("login tries what it knows first, and says so", async () => {
  await using desk = await Desk.open();
  desk.keep("h", "me:right");
  const world = desk.world();
  expect(await runInWorld(login, ["h"], world)).toBe(0);
  expect(world.error.text).toStartWith("Authenticating with existing credentials... [Username: me]\n");
  expect(world.out.text).toBe("Login Succeeded\n");
});

test("login asks on a terminal, takes the known name for an empty line, and lets a password be corrected", async () => {
  await using desk = await Desk.open();
  desk.keep("h", "me:old");
  const world = desk.world("\nrighü\x7ft\r", { hasTerminal: true });
  expect(await runInWorld(login, ["h"], world)).toBe(0);
  expect(world.error.text).toContain("Stored credentials invalid or expired\n");
  expect(world.out.text).toBe("Username (me): Password: \nLogin Succeeded\n");
  expect(desk.auths).toEqual({ h: right });
});

const refusals: [string, string][] = [
  ["--password-stdin h", "the --password-stdin option requires --username to be set"],
  [
    "-u me -p x --password-stdin h",
    "conflicting options: cannot specify both --password and --password-stdin",
  ],
  ["-u me --password-stdin h", "password is empty"],
  ["--username= h", "username is empty"],
  ["-u me h", "error: cannot perform an interactive login from a non-TTY device"],
];
for (const [argv, message] of refusals) {
  test(`login ${argv} is refused`, async () => {
    await using desk = await Desk.open();
    expect(runInWorld(login, argv.split(" "), desk.world())).rejects.toThrow(message);
  });
}

test("logout forgets every spelling of the address, and is content with nothing", async () => {
  await using desk = await Desk.open();
  desk.keep("https://h:5000", "me:right");
  const world = desk.world();
  expect(await runInWorld(logout, ["h:5000"], world)).toBe(0);
  expect(await runInWorld(logout, ["h:5000"], world)).toBe(0);
  expect(world.out.text).toBe("Removing login credentials for h:5000\n".repeat(2));
  expect(desk.auths).toEqual({});
  await runInWorld(logout, [], world);
  expect(world.out.text).toEndWith("Removing login credentials for https://index.docker.io/v1/\n");
});

function authOf(seen: Seen | undefined): unknown {
  return JSON.parse(Buffer.from(String(seen?.headers["x-registry-auth"]), "base64url").toString());
}

test("push and pull sign in where the image's registry is known", async () => {
  await using desk = await Desk.open({
    "POST /images/host:5000/a/b/push": () => ({ lines: [{ status: "v1: digest: sha256:1 size: 2" }] }),
    "POST /images/create": () => ({ lines: [{ status: "Status: Downloaded" }] }),
  });
  desk.keep("host:5000", "me:right");
  const world = desk.world();
  expect(await runInWorld(push, ["host:5000/a/b:v1"], world)).toBe(0);
  expect(world.out.text).toBe("v1: digest: sha256:1 size: 2\n");
  await runInWorld(pull, ["-q", "host:5000/a/b"], desk.world());
  await runInWorld(pull, ["-q", "other:5000/a/b"], desk.world());
  const expected = { username: "me", password: "right", serveraddress: "host:5000" };
  expect(desk.engine.seen.slice(0, 2).map(authOf)).toEqual([expected, expected]);
  expect(desk.engine.seen[2]?.headers["x-registry-auth"]).toBeUndefined();
});

test("settings that do not read are told of, and what is public is pulled", async () => {
  await using desk = await Desk.open({ "POST /images/create": () => ({ lines: [] }) });
  writeFileSync(desk.file, "{");
  const world = desk.world();
  expect(await runInWorld(pull, ["-q", "a"], world)).toBe(0);
  expect(world.error.text).toContain(`WARNING: Cannot read config file ${desk.file}`);
});

test("a helper that is not there stops a pull, but only warns of a build", async () => {
  await using desk = await Desk.open({ "POST /build": () => ({ lines: [] }) });
  writeFileSync(desk.file, JSON.stringify({ credsStore: "darse-no-such" }));
  writeFileSync(join(desk.folder, "Dockerfile"), "FROM scratch");
  expect(runInWorld(pull, ["-q", "a"], desk.world())).rejects.toThrow("executable file not found in $PATH");
  const world = desk.world();
  expect(await runInWorld(build, [desk.folder], world)).toBe(0);
  expect(world.error.text).toStartWith("WARNING: error calling credential helper");
  expect(desk.engine.seen[0]?.headers["x-registry-config"]).toBeUndefined();
});

test("a build gets the credentials of every registry", async () => {
  await using desk = await Desk.open({ "POST /build": () => ({ lines: [] }) });
  desk.keep("host:5000", "me:right");
  writeFileSync(join(desk.folder, "Dockerfile"), "FROM scratch");
  await runInWorld(build, [desk.folder], desk.world());
  const header = String(desk.engine.seen[0]?.headers["x-registry-config"]);
  expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
    "host:5000": { username: "me", password: "right", serveraddress: "host:5000" },
  });
});

const pushes: [string, Record<string, string>, string][] = [
  ["a", { tag: "latest" }, "Using default tag: latest\n"],
  ["-q a", { tag: "latest" }, "docker.io/library/a:latest\n"],
  ["-a a", {}, ""],
  ["-aq a", {}, "docker.io/library/a\n"],
];
for (const [argv, query, output] of pushes) {
  test(`push ${argv}`, async () => {
    await using desk = await Desk.open({ "POST /images/a/push": () => ({ lines: [] }) });
    const world = desk.world();
    expect(await runInWorld(push, argv.split(" "), world)).toBe(0);
    expect(Object.fromEntries(desk.engine.seen[0]?.query ?? [])).toEqual(query);
    expect(world.out.text).toBe(output);
  });
}

test("push --platform names one platform, and remarks on what stays behind stand apart", async () => {
  const aux = {
    manifestPushedInsteadOfIndex: true,
    originalIndex: { digest: "sha256:i" },
    selectedManifest: { digest: "sha256:m" },
  };
  await using desk = await Desk.open({ "POST /images/a/push": () => ({ lines: [{ aux }] }) });
  const world = desk.world();
  await runInWorld(push, ["--platform", "linux/arm64/v8", "a:1"], world);
  expect(desk.engine.seen[0]?.query.get("platform")).toBe('{"os":"linux","architecture":"arm64"}');
  expect(world.out.text).toStartWith("\n Info -> Using --platform pushes only");
  expect(world.out.text).toContain("         sha256:i -> sha256:m\n");
  expect(runInWorld(push, ["-a", "a:1"], world)).rejects.toThrow("tag can't be used with --all-tags/-a");
});

const item = { name: "busybox", description: "Busybox\nbase image.", is_official: true, star_count: 3037 };

test("search prints Docker's table, and signs in at the domain of the term", async () => {
  await using desk = await Desk.open({
    "GET /images/search": () => ({
      json: [item, { ...item, name: "me/busybox", is_official: false, star_count: 0 }],
    }),
  });
  desk.keep("https://index.docker.io/v1/", "me:right");
  const world = desk.world();
  await runInWorld(search, ["--limit", "2", "-f", "stars=0", "busybox"], world);
  expect(world.out.text).toBe(`NAME         DESCRIPTION           STARS     OFFICIAL
busybox      Busybox base image.   3037      [OK]
me/busybox   Busybox base image.   0         \n`);
  expect(Object.fromEntries(desk.engine.seen[0]?.query ?? [])).toEqual({
    term: "busybox",
    limit: "2",
    filters: '{"stars":["0"]}',
  });
  expect(authOf(desk.engine.seen[0])).toMatchObject({ serveraddress: "https://index.docker.io/v1/" });
  const json = desk.world();
  await runInWorld(search, ["--format", "json", "busybox"], json);
  expect(JSON.parse(json.out.text.split("\n")[0] ?? "")).toMatchObject({
    IsOfficial: "true",
    StarCount: "3037",
  });
});

test("pull prints the name as it was meant, and asks for the platform of the environment", async () => {
  await using desk = await Desk.open({ "POST /images/create": () => ({ lines: [] }) });
  const world = desk.world("", { env: { DOCKER_DEFAULT_PLATFORM: "linux/arm64" } });
  const digest = `sha256:${"a".repeat(64)}`;
  for (const argv of [
    ["-q", "a"],
    ["-qa", "a"],
    ["-q", `a:1@${digest}`],
    ["-q", "--platform", "linux/s390x", "a"],
  ]) {
    await runInWorld(pull, argv, world);
  }
  expect(world.out.text).toBe(
    `docker.io/library/a:latest\ndocker.io/library/a\ndocker.io/library/a:1@${digest}\ndocker.io/library/a:latest\n`,
  );
  const asked = desk.engine.seen.map(({ query }) => [query.get("tag"), query.get("platform")]);
  expect(asked).toEqual([
    ["latest", "linux/arm64"],
    [null, "linux/arm64"],
    [digest, "linux/arm64"],
    ["latest", "linux/s390x"],
  ]);
  expect(runInWorld(push, [`a@${digest}`], world)).rejects.toThrow("cannot push a digest reference");
});
