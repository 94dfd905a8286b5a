import { expect, test } from "bun:test";
import fc from "fast-check";
import { EngineError } from "#base/errors.ts";
import { Template } from "./template.ts";

const data = {
  Id: "abcdef",
  Name: "/web",
  State: { Running: true, Pid: 42, ExitCode: 0, Status: "running" },
  Config: { Env: ["A=1", "B=2"], Labels: { "com.x": "y", app: "web" }, Cmd: null, Image: "busybox" },
  NetworkSettings: {
    Networks: { bridge: { IPAddress: "172.17.0.2" }, web: { IPAddress: "172.18.0.2" } },
    Ports: { "80/tcp": [{ HostIp: "0.0.0.0", HostPort: "8080" }], "90/tcp": null },
  },
  Mounts: [],
  Label: (key: unknown) => (key === "app" ? "web" : ""),
};

const table: [string, string][] = [
  ["plain", "plain"],
  ["{{.Id}}", "abcdef"],
  ["{{ .State.Pid }} {{.State.Running}}", "42 true"],
  ["{{json .State}}", '{"Running":true,"Pid":42,"ExitCode":0,"Status":"running"}'],
  ["{{json .Config.Env}}", '["A=1","B=2"]'],
  ["{{.Config.Env}}", "[A=1 B=2]"],
  ["{{.Config.Cmd}}", "<nil>"],
  ["{{.Config.Labels}}", "map[app:web com.x:y]"],
  ["{{.Config.Labels.app}}", "web"],
  ["{{.Config.Labels.nope}}", "<no value>"],
  ['{{index .Config.Labels "com.x"}}', "y"],
  ['{{index .Config.Labels "nope"}}', ""],
  ["{{index .Config.Env 1}}", "B=2"],
  ['{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}', "8080"],
  ['{{(index .NetworkSettings.Ports "80/tcp" 0).HostPort}}', "8080"],
  ["{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}", "172.17.0.2 172.18.0.2 "],
  [
    "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.IPAddress}};{{end}}",
    "bridge=172.17.0.2;web=172.18.0.2;",
  ],
  ["{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}", "A=1,B=2"],
  [
    "{{range $p, $b := .NetworkSettings.Ports}}{{$p}}{{if $b}}->{{(index $b 0).HostPort}}{{end}} {{end}}",
    "80/tcp->8080 90/tcp ",
  ],
  ["{{range .Mounts}}x{{else}}none{{end}}", "none"],
  ["{{if .State.Running}}up{{else}}down{{end}}", "up"],
  ["{{if .State.ExitCode}}bad{{else if eq .State.Pid 42}}pid{{else}}ok{{end}}", "pid"],
  ["{{with .State}}{{.Status}} {{$.Id}}{{end}}", "running abcdef"],
  ["{{with .Config.Cmd}}x{{else}}no command{{end}}", "no command"],
  ["{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}", "none"],
  ["{{$x := .Id}}{{$x}}{{$x = .Name}}{{$x}}", "abcdef/web"],
  ["{{$n := 0}}{{range .Config.Env}}{{$n = .}}{{end}}{{$n}}", "B=2"],
  ['{{join .Config.Env ","}}', "A=1,B=2"],
  ['{{"," | join .Config.Env}}', "A=1,B=2"],
  ['{{split .Id "c"}}', "[ab def]"],
  ["{{upper .Id}} {{.Id | upper | lower}} {{title .Config.Image}}", "ABCDEF abcdef Busybox"],
  ["{{truncate .Id 3}}|{{pad .Id 1 2}}|{{slice .Id 1 3}}", "abc| abcdef  |bc"],
  ["{{len .Config.Env}} {{len .Id}}", "2 6"],
  [
    '{{printf "%s:%d %q %5s|%-5s|%05d %.1f%%" .Id .State.Pid "x" "a" "b" 42 1.25}}',
    'abcdef:42 "x"     a|b    |00042 1.3%',
  ],
  ["{{print .Id 1}}{{println}}", "abcdef1\n"],
  [
    "{{eq .Id `abcdef`}} {{ne 1 2}} {{lt 1 2}} {{and true .Id}} {{or 0 `x`}} {{not .Mounts}}",
    "true true true abcdef x true",
  ],
  ["{{eq .State.Pid 1 2 42}}", "true"],
  ['{{.Label "app"}}', "web"],
  ["a  {{- .Id -}}  b", "aabcdefb"],
  ["a{{/* note */}}b", "ab"],
  ['{{"quoted \\"x\\"\\t"}}', 'quoted "x"\t'],
  ["{{.ID}} {{.Config.image}}", "abcdef <no value>"],
  ["{{range .Config.Env}}{{if eq . `B=2`}}{{break}}{{end}}{{.}}{{end}}", "A=1"],
  ["{{range .Config.Env}}{{if eq . `A=1`}}{{continue}}{{end}}{{.}}{{end}}", "B=2"],
  ["{{range 3}}{{.}}{{end}}", "012"],
];

for (const [source, want] of table) {
  test(`${source} gives ${want}`, () => expect(new Template(source).render(data)).toBe(want));
}

const wrong: [string, string][] = [
  ["{{.Nope}}", 'map has no entry for key "Nope"'],
  ["{{.State.Nope}}", 'map has no entry for key "Nope"'],
  ["{{.State.Health.Status}}", "can't evaluate field Status in nil"],
  ["{{.Id.Length}}", "can't evaluate field Length in a string"],
  ["{{.Id", "unclosed action"],
  ["{{if .Id}}x", "has no {{end}}"],
  ["{{end}}", "unexpected {{end}}"],
  ["{{nope .Id}}", 'function "nope" not defined'],
  ["{{index .Config.Env 5}}", "index out of range: 5"],
  ["{{$x}}", 'undefined variable "$x"'],
  ["{{range .State.Pid}}{{end}}{{range .Id}}{{end}}", "range can't iterate over abcdef"],
  ["{{.Id 3}}", "can't give argument to non-function .Id"],
  ["{{define `x`}}{{end}}", "{{define}} is not supported"],
  ["{{(.Id}}", "unclosed left paren"],
  ["{{#}}", 'unexpected "#" in operand'],
  ["{{}}x{{| json}}", "missing value for command"],
];

for (const [source, message] of wrong) {
  test(`${source} is refused`, () => {
    expect(() => new Template(source).render(data)).toThrow(message);
    expect(() => new Template(source).render(data)).toThrow(EngineError);
  });
}

test("names of the language itself are no fields", () => {
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    expect(new Template(`{{.Config.Labels.${name}}}`).render(data)).toBe("<no value>");
  }
  expect(new Template('{{index .Config.Labels "constructor"}}').render(data)).toBe("");
});

test("any text either renders or is refused with an EngineError", () => {
  const piece = fc.constantFrom(
    "{{",
    "}}",
    ".Id",
    "if",
    "range",
    "end",
    "else",
    "|",
    "(",
    ")",
    '"',
    "$x",
    ":=",
    " ",
    "-",
    "json",
    "1",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      try {
        new Template(pieces.join("")).render(data);
      } catch (error) {
        expect(error).toBeInstanceOf(EngineError);
      }
    }),
    { numRuns: 2000 },
  );
});

test("nesting without end is refused, not overflowed", () => {
  expect(() => new Template("{{if 1}}".repeat(5000))).toThrow(EngineError);
  expect(() => new Template(`{{${"(".repeat(5000)}`)).toThrow(EngineError);
});
