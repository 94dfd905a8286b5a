import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { CATALOG } from "./catalog.ts";

const ENTRY = resolve(import.meta.dir, "../main.ts");
const EXECUTABLE = resolve(import.meta.dir, "../../dist/darse");
const NOWHERE = "unix:///tmp/darse-no-such.sock";

interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function darse(args: readonly string[], env: Readonly<Record<string, string>> = {}): Outcome {
  const options = { encoding: "utf8", env: { PATH: process.env["PATH"], ...env }, stdio: "pipe" } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, [ENTRY, ...args], options);
  return { code: status, out: stdout, error: stderr };
}

const table: [string, number, string][] = [
  [
    "run --nope",
    125,
    "unknown flag: --nope\n\nUsage:  darse run [OPTIONS] IMAGE [COMMAND] [ARG...]\n\nRun 'darse run --help' for more information\n",
  ],
  [
    "ps --nope",
    125,
    "unknown flag: --nope\n\nUsage:  darse ps [OPTIONS]\n\nRun 'darse ps --help' for more information\n",
  ],
  [
    "rm",
    1,
    "darse: 'darse rm' requires at least 1 argument\n\nUsage:  darse rm [OPTIONS] CONTAINER [CONTAINER...]\n\nRun 'darse rm --help' for more information\n",
  ],
  ["tag a", 1, "darse: 'darse tag' requires 2 arguments\n"],
  ["ps x", 1, "darse: 'darse ps' accepts no arguments\n"],
  [
    "rnu",
    1,
    "darse: unknown command: darse rnu\nDid you mean \"darse run\"?\n\nRun 'darse --help' for more information\n",
  ],
  ["container lst", 1, 'darse: unknown command: darse container lst\nDid you mean "darse container'],
  ["--nope", 125, "unknown flag: --nope\n\nUsage:  darse [OPTIONS] COMMAND\n"],
  [`-H ${NOWHERE} ps`, 1, `Cannot connect to the engine at ${NOWHERE}: there is no such socket\n`],
  [
    `-H ${NOWHERE} run x`,
    125,
    `darse: Cannot connect to the engine at ${NOWHERE}: there is no such socket\n`,
  ],
  ["--context other ps", 1, 'Cannot use context "other": there are no contexts\n'],
  ["-H ssh://x ps", 1, 'Cannot use host "ssh://x": ssh:// is not supported\n'],
  [
    "run -p 99999 x",
    125,
    "darse: invalid containerPort: 99999\n\nRun 'darse run --help' for more information\n",
  ],
];

for (const [line, code, text] of table) {
  test(`darse ${line} exits with ${code}`, () => {
    const outcome = darse(line.split(" "));
    expect(outcome.code).toBe(code);
    expect(outcome.error).toStartWith(text);
    expect(outcome.out).toBe("");
  });
}

test("DOCKER_HOST names the engine, -H goes before it, and a wrong DOCKER_API_VERSION is refused", () => {
  expect(darse(["ps"], { DOCKER_HOST: NOWHERE }).error).toContain(NOWHERE);
  expect(darse(["-H", "unix:///tmp/other.sock", "ps"], { DOCKER_HOST: NOWHERE }).error).toContain(
    "/tmp/other.sock",
  );
  expect(darse(["ps"], { DOCKER_HOST: NOWHERE, DOCKER_API_VERSION: "new" }).error).toContain(
    'DOCKER_API_VERSION "new"',
  );
});

test("--help lists every command that is called by one word, -v the version", () => {
  const { code, out } = darse(["--help"]);
  expect(code).toBe(0);
  for (const { paths } of CATALOG) {
    const name = paths.find((path) => !path.includes(" "));
    if (name !== undefined) expect(out).toContain(`\n  ${name} `);
  }
  expect(darse(["help"]).out).toBe(out);
  expect(darse(["-v"]).out).toMatch(/^Darse version \d/);
});

test("a management form is the same command: help names all its names", () => {
  const { out } = darse(["container", "list", "--help"]);
  expect(out).toStartWith("Usage:  darse container list [OPTIONS]\n\nList containers\n\nAliases:\n");
  expect(out).toContain("darse container ls, darse container list, darse container ps, darse ps\n");
  expect(darse(["container"]).out).toContain(
    "\n  run         Create and run a new container from an image\n",
  );
});

test("every command of the catalogue loads, and no two share a name", async () => {
  const names = CATALOG.flatMap(({ paths }) => paths);
  expect(new Set(names).size).toBe(names.length);
  for (const entry of CATALOG) {
    expect((await entry.load()).prepare(entry.paths[0] ?? "", ["--help"])).toEqual({ kind: "help" });
  }
});

const withExecutable = existsSync(EXECUTABLE) || process.env["CI"] ? test : test.skip;

withExecutable("the executable obeys neither .env nor bunfig.toml of the folder it is called in", () => {
  const folder = mkdtempSync(join(tmpdir(), "darse-cwd-"));
  try {
    writeFileSync(join(folder, ".env"), "DOCKER_API_VERSION=evil\n");
    writeFileSync(join(folder, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(folder, "evil.ts"), 'console.error("EVIL")\n');
    const { stderr } = spawnSync(EXECUTABLE, ["--context", "x", "ps"], { cwd: folder, encoding: "utf8" });
    expect(stderr).toStartWith('Cannot use context "x"');
    const { stderr: second } = spawnSync(EXECUTABLE, ["-H", NOWHERE, "ps"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(second).not.toContain("evil");
    expect(second).not.toContain("EVIL");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
