import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { HOST_FOLDERS, PLAIN_SETTINGS } from "#registry/settings.ts";
import { type ConfigurationSources, parseConfiguration } from "./configuration.ts";

const NOTHING: ConfigurationSources = { env: {}, readFile: () => undefined };

test("without flags the engine lives where the design says", () => {
  expect(parseConfiguration([], NOTHING)).toEqual({
    root: "/var/lib/darse",
    run: "/run/darse",
    sockets: ["/run/darse/darse.sock"],
    bridge: "darse0",
    logLevel: "info",
    registries: { ...PLAIN_SETTINGS, hostFolders: HOST_FOLDERS },
  });
});

test("the socket lies in the run folder, Docker's beside it when asked for", () => {
  expect(parseConfiguration(["--run", "/tmp/x/", "--docker-socket"])).toMatchObject({
    run: "/tmp/x",
    sockets: ["/tmp/x/darse.sock", "/run/docker.sock"],
  });
});

const refused: [string, string[]][] = [
  ["a TCP address (case 33)", ["-H", "tcp://127.0.0.1:2375"]],
  ["a relative folder", ["--root", "here"]],
  ["an unknown level", ["--log-level", "loud"]],
  ["an unknown flag", ["--nope"]],
  ["an interface name that is too long", ["--bridge", "darse-bridge-too-long"]],
];

for (const [what, args] of refused) {
  test(`${what} is refused`, () => {
    expect(() => parseConfiguration(args)).toThrow(EngineError);
  });
}
