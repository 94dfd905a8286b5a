import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { fakeHelper } from "../_testing/fake-helper.ts";
import { ConfigFile } from "./config-file.ts";
import { Credentials } from "./credentials.ts";

class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "darse-config-"));
  readonly file = join(this.path, "config.json");

  constructor(content?: unknown) {
    if (content !== undefined) writeFileSync(this.file, JSON.stringify(content));
  }

  get content(): unknown {
    return JSON.parse(readFileSync(this.file, "utf8"));
  }

  credentials(env: Readonly<Record<string, string>> = {}): Credentials {
    return new Credentials(new ConfigFile(this.path), env);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

const pair = (text: string): string => Buffer.from(text).toString("base64");

test("what is stored is found again, and what others keep in the file stays", async () => {
  using folder = new Folder({
    psFormat: "x",
    auths: { other: { auth: pair("a:b"), email: "e" } },
    later: [1],
  });
  const credentials = folder.credentials();
  expect(await credentials.store("host:5000", { username: "me", password: "pa:ss" })).toBe("file");
  expect(folder.content).toEqual({
    psFormat: "x",
    auths: { other: { auth: pair("a:b"), email: "e" }, "host:5000": { auth: pair("me:pa:ss") } },
    later: [1],
  });
  expect(await credentials.find("host:5000")).toEqual({ username: "me", password: "pa:ss" });
  await credentials.erase("host:5000");
  expect(await credentials.find("host:5000")).toBeUndefined();
  expect([...(await credentials.all()).keys()]).toEqual(["other"]);
});

test("the file is its owner's alone, and a link to it stays a link", async () => {
  using folder = new Folder();
  using elsewhere = new Folder({ kept: true });
  symlinkSync(elsewhere.file, folder.file);
  await folder.credentials().store("h", { username: "u", identityToken: "t" });
  expect(elsewhere.content).toEqual({
    kept: true,
    auths: { h: { auth: pair("u:"), identitytoken: "t" } },
  });
  expect(statSync(elsewhere.file).mode & 0o777).toBe(0o600);
  expect(await folder.credentials().find("h")).toEqual({ username: "u", identityToken: "t" });
});

const spellings: [string, string][] = [
  ["https://reg.example/v1/", "reg.example"],
  ["http://reg.example:5000", "reg.example:5000"],
  ["reg.example/", "reg.example"],
];
for (const [key, address] of spellings) {
  test(`an old entry "${key}" is for ${address}`, async () => {
    using folder = new Folder({ auths: { [key]: { auth: pair("u:p") } } });
    expect(await folder.credentials().find(address)).toEqual({ username: "u", password: "p" });
  });
}

test("a file that does not read is not replaced", async () => {
  using folder = new Folder();
  writeFileSync(folder.file, '{"auths":');
  const credentials = folder.credentials();
  expect(credentials.find("h")).rejects.toThrow(`Cannot read config file ${folder.file}`);
  expect(credentials.store("h", { username: "u", password: "p" })).rejects.toThrow("Cannot read config file");
  await credentials.store("h", {}).catch(() => undefined);
  expect(readFileSync(folder.file, "utf8")).toBe('{"auths":');
});

test("nonsense instead of user:password is named", async () => {
  using folder = new Folder({ auths: { h: { auth: pair("nocolon") } } });
  expect(folder.credentials().find("h")).rejects.toThrow("Cannot read the credentials of h");
});

test("the environment wins, and is not written to", async () => {
  using folder = new Folder({ auths: { h: { auth: pair("file:p") } } });
  const env = { DOCKER_AUTH_CONFIG: JSON.stringify({ auths: { h: { auth: pair("env:q") } } }) };
  expect(await folder.credentials(env).find("h")).toEqual({ username: "env", password: "q" });
  expect(() => folder.credentials({ DOCKER_AUTH_CONFIG: "{" })).toThrow("Cannot read DOCKER_AUTH_CONFIG");
});

test("a helper keeps secrets out of the file", async () => {
  using helper = fakeHelper();
  using folder = new Folder({ credsStore: helper.name });
  const credentials = folder.credentials();
  expect(await credentials.find("h")).toBeUndefined();
  expect(await credentials.store("h", { username: "u", password: "p" })).toBe("helper");
  expect(folder.content).toEqual({ credsStore: helper.name, auths: { h: {} } });
  expect(await credentials.find("h")).toEqual({ username: "u", password: "p" });
  await credentials.store("t", { username: "u", identityToken: "token" });
  expect(await credentials.find("t")).toEqual({ identityToken: "token" });
  expect([...(await credentials.all()).keys()].toSorted()).toEqual(["h", "t"]);
  await credentials.erase("h");
  expect(await credentials.find("h")).toBeUndefined();
  expect(folder.content).toEqual({ credsStore: helper.name, auths: { t: {} } });
});

test("a helper of one address is asked for that one alone", async () => {
  using helper = fakeHelper();
  using folder = new Folder({ credHelpers: { special: helper.name }, auths: { h: { auth: pair("u:p") } } });
  const credentials = folder.credentials();
  await credentials.store("special", { username: "s", password: "x" });
  expect(Object.fromEntries(await credentials.all())).toEqual({
    h: { username: "u", password: "p" },
    special: { username: "s", password: "x" },
  });
});

test("a helper that is missing or fails is named with its own words", async () => {
  using missing = new Folder({ credsStore: "darse-no-such" });
  expect(missing.credentials().find("h")).rejects.toThrow(
    'exec: "docker-credential-darse-no-such": executable file not found in $PATH',
  );
  using helper = fakeHelper();
  using folder = new Folder({ credsStore: helper.name });
  expect(folder.credentials().find("locked")).rejects.toThrow(
    "error getting credentials - err: exit status 1, out: `the keychain is locked`",
  );
});
