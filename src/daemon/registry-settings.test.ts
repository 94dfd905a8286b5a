import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { type ConfigurationSources, parseConfiguration } from "./configuration.ts";
import { encodeRegistryInfo } from "./registry-info.ts";
import type { RegistrySettings } from "#registry/settings.ts";

interface Given {
  readonly file?: unknown;
  readonly env?: Readonly<Record<string, string>>;
}

function sources({ file, env = {} }: Given): ConfigurationSources {
  const readFile = (path: string): string | undefined =>
    path === "/etc/darse/daemon.json" && file !== undefined ? JSON.stringify(file) : undefined;
  return { env, readFile };
}

function settings(args: readonly string[], given: Given = {}): RegistrySettings {
  const configuration = parseConfiguration(args, sources(given));
  if (configuration === "help") throw new Error("help");
  return configuration.registries;
}

test("the file says what Docker's daemon.json says of registries", () => {
  const file = {
    "insecure-registries": ["registry.local:5000", "10.0.0.0/8", "http://Other.local"],
    "registry-mirrors": ["https://mirror.example"],
    proxies: { "http-proxy": "http://p:1", "https-proxy": "http://p:2", "no-proxy": "x" },
  };
  const { mirrors, ...rest } = settings([], { file, env: { HTTP_PROXY: "http://q:1" } });
  expect(mirrors.map(String)).toEqual(["https://mirror.example/"]);
  expect(rest).toMatchObject({
    insecure: ["registry.local:5000", "10.0.0.0/8", "other.local"],
    proxies: { http: "http://p:1", https: "http://p:2", none: "x" },
  });
});

test("flags say the same, and win over the environment", () => {
  const args = ["--insecure-registry", "a:1", "--insecure-registry", "b", "--https-proxy", "p:3"];
  const env = { https_proxy: "http://q:1", NO_PROXY: "y" };
  expect(settings(args, { env })).toMatchObject({
    insecure: ["a:1", "b"],
    proxies: { http: "", https: "p:3", none: "y" },
  });
});

test("folders of hosts and the index that is searched can be set", () => {
  const args = [
    "--registry-hosts",
    "/a",
    "--registry-hosts",
    "/b",
    "--search-index",
    "http://127.0.0.1:1/v1",
  ];
  const { hostFolders, searchIndex } = settings(args);
  expect([hostFolders, searchIndex.href]).toEqual([["/a", "/b"], "http://127.0.0.1:1/v1/"]);
});

const refused: readonly (readonly [what: string, args: string[], given: Given, words: string])[] = [
  [
    "a setting that has no effect",
    [],
    { file: { "log-driver": "x" } },
    "don't match any configuration option: log-driver",
  ],
  ["an unknown proxy", [], { file: { proxies: { "ftp-proxy": "x" } } }, "ftp-proxy"],
  ["a list that is none", [], { file: { "registry-mirrors": "x" } }, "registry-mirrors"],
  [
    "both a flag and the file",
    ["--registry-mirror", "https://a"],
    { file: { "registry-mirrors": [] } },
    "both as a flag",
  ],
  ["a mirror without scheme", ["--registry-mirror", "mirror"], {}, "invalid mirror"],
  ["a mirror with a password", ["--registry-mirror", "https://a:b@c"], {}, "more than scheme"],
  ["an insecure registry with a path", ["--insecure-registry", "a/b"], {}, "is not valid"],
  ["a proxy that is no address", ["--http-proxy", "http://u:secret@[x"], {}, "is no http or https address"],
  ["a file that is not there", ["--config-file", "/none.json"], {}, "there is no such file"],
];
for (const [what, args, given, words] of refused) {
  test(`${what} is refused`, () => {
    const read = (): unknown => settings(args, given);
    expect(read).toThrow(EngineError);
    expect(read).toThrow(words);
    expect(read).not.toThrow("secret");
  });
}

test("/info tells what is set, without passwords", () => {
  const args = [
    "--insecure-registry",
    "a:1",
    "--insecure-registry",
    "10.0.0.0/8",
    "--http-proxy",
    "http://u:secret@p",
  ];
  const info = encodeRegistryInfo(settings([...args, "--registry-mirror", "https://m"]));
  expect(info.RegistryConfig.InsecureRegistryCIDRs).toContain("10.0.0.0/8");
  expect(info.RegistryConfig.IndexConfigs["a:1"]).toMatchObject({ Secure: false });
  expect(info.RegistryConfig.IndexConfigs["docker.io"]?.Mirrors).toEqual(["https://m/"]);
  expect(info.HttpProxy).toBe("http://xxxxx:xxxxx@p");
});
