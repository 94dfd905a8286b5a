import { expect, test } from "bun:test";
import { FlagError, parseFlags } from "./flag-parser.ts";
import type { FlagSpecs } from "./flags.ts";

const specs = {
  interactive: { type: "bool", short: "i", help: "" },
  tty: { type: "bool", short: "t", help: "" },
  sigProxy: { type: "bool", default: true, help: "" },
  publish: { type: "list", short: "p", help: "" },
  platform: { type: "strings", help: "" },
  name: { type: "string", help: "" },
  stopTimeout: { type: "int", help: "" },
  memory: { type: "bytes", short: "m", help: "" },
  healthInterval: { type: "duration", help: "" },
  cpus: { type: "decimal", help: "" },
} as const satisfies FlagSpecs;

const parse = (line: string, optionsFirst = false) =>
  parseFlags(specs, line.split(" ").filter(Boolean), { optionsFirst });

const table: [string, Record<string, unknown>, string[]][] = [
  ["-it image", { interactive: true, tty: true }, ["image"]],
  ["-ti -p 80:80 -p81:81 -p=82:82 x", { interactive: true, publish: ["80:80", "81:81", "82:82"] }, ["x"]],
  ["--publish=1 --publish 2", { publish: ["1", "2"] }, []],
  ["--name=web --name=db", { name: "db" }, []],
  ["--name= x", { name: "" }, ["x"]],
  ["-itp 80 x", { tty: true, publish: ["80"] }, ["x"]],
  ["-i=false -t=true x", { interactive: false, tty: true }, ["x"]],
  ["--sig-proxy=false x", { sigProxy: false }, ["x"]],
  ["--tty=0", { tty: false }, []],
  ["x", { sigProxy: true, tty: false, publish: [], name: undefined }, ["x"]],
  ["--platform a,b --platform c", { platform: ["a", "b", "c"] }, []],
  ["--stop-timeout -1", { stopTimeout: -1 }, []],
  ["-m512m --health-interval 1m30s --cpus 1.5", { memory: 536870912, healthInterval: 90e9, cpus: 1.5 }, []],
  ["a --tty b", { tty: true }, ["a", "b"]],
  ["a -- --tty -i", { tty: false }, ["a", "--tty", "-i"]],
  ["- x", {}, ["-", "x"]],
];

for (const [line, want, args] of table) {
  test(`${line} is read`, () => {
    const parsed = parse(line);
    expect(parsed.flags).toMatchObject(want);
    expect(parsed.args).toEqual(args);
  });
}

test("flags end at the first argument where the arguments hold a command line", () => {
  const parsed = parse("-t image ls --nope -i", true);
  expect(parsed.args).toEqual(["image", "ls", "--nope", "-i"]);
  expect(parsed.flags.interactive).toBe(false);
  expect(parse("-- -i", true).args).toEqual(["-i"]);
});

test("what was given is told apart from what is only a default", () => {
  expect([...parse("--tty=false --name x").given]).toEqual(["tty", "name"]);
});

test("--help is seen wherever a flag may stand, and -h where no flag has it", () => {
  expect(parse("a --help").wantsHelp).toBe(true);
  expect(parse("-h").wantsHelp).toBe(true);
  expect(parse("a --help", true).wantsHelp).toBe(false);
});

// The texts are pflag's, which scripts and people know.
const wrong: [string, string][] = [
  ["--nope", "unknown flag: --nope"],
  ["--nmae x", "unknown flag: --nmae\nDid you mean --name?"],
  ["-z", "unknown shorthand flag: 'z' in -z"],
  ["-iz", "unknown shorthand flag: 'z' in -iz"],
  ["--name", "flag needs an argument: --name"],
  ["-p", "flag needs an argument: 'p' in -p"],
  ["-ip", "flag needs an argument: 'p' in -ip"],
  ["--=x", "bad flag syntax: --=x"],
  ["---x", "bad flag syntax: ---x"],
  ["--tty=maybe", 'invalid argument "maybe" for "-t, --tty" flag: parsing "maybe": invalid syntax'],
  ["--stop-timeout x", 'invalid argument "x" for "--stop-timeout" flag: parsing "x": invalid syntax'],
  ["-m 4x", 'invalid argument "4x" for "-m, --memory" flag: invalid suffix: \'x\''],
  ["--cpus x", 'invalid argument "x" for "--cpus" flag: failed to parse x as a rational number'],
  [
    "--health-interval 5",
    'invalid argument "5" for "--health-interval" flag: time: missing unit in duration "5"',
  ],
];

for (const [line, text] of wrong) {
  test(`${line} is refused in Docker's words`, () => {
    expect(() => parse(line)).toThrow(FlagError);
    expect(() => parse(line)).toThrow(text);
  });
}
