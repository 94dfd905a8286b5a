import { expect, test } from "bun:test";
import { changeMode, parseModeChange } from "./copy-operation.ts";
import { MountError, readMount } from "./mounts.ts";
import { parseExposedPorts } from "./ports.ts";
import { parseDockerfile } from "../dockerfile/parse.ts";

// chmod(1), as GNU has it.
const modes: [string, number, boolean, number][] = [
  ["755", 0o644, false, 0o755],
  ["0", 0o777, false, 0],
  ["7777", 0, false, 0o7777],
  ["u+x", 0o644, false, 0o744],
  ["+x", 0o644, false, 0o755],
  ["a-w", 0o666, false, 0o444],
  ["go=", 0o777, false, 0o700],
  ["u=rwX,go=rX", 0o600, true, 0o755],
  ["u=rwX,go=rX", 0o600, false, 0o644],
  ["u=rwX,go=rX", 0o700, false, 0o755],
  ["g=u", 0o640, false, 0o660],
  ["o=g-w", 0o760, false, 0o764],
  ["u+s,g+s", 0o755, false, 0o6755],
  ["+t", 0o777, true, 0o1777],
];

for (const [text, before, isDirectory, after] of modes) {
  test(`${text} makes ${before.toString(8)} of a ${isDirectory ? "directory" : "file"} ${after.toString(8)}`, () => {
    const change = parseModeChange(text);
    if (change === undefined) throw new Error("it does not parse");
    expect(changeMode(before, change, isDirectory)).toBe(after);
  });
}

for (const text of ["", "8", "77777", "u", "x+u", "u+q", "u=rw go=r", "u=ug", "-1", "0o755"]) {
  test(`"${text}" is no mode`, () => expect(parseModeChange(text)).toBeUndefined());
}

const ports: [string, string[] | undefined][] = [
  ["80", ["80/tcp"]],
  ["53/UDP", ["53/udp"]],
  ["8000-8002", ["8000/tcp", "8001/tcp", "8002/tcp"]],
  ["8080:80", ["80/tcp"]],
  ["127.0.0.1:8080:80/tcp", ["80/tcp"]],
  ["0", undefined],
  ["65536", undefined],
  ["9-8", undefined],
  ["80/http", undefined],
  ["http", undefined],
  ["", undefined],
];

for (const [word, expected] of ports) {
  test(`EXPOSE ${word} names ${expected?.join(" ") ?? "nothing"}`, () =>
    expect(parseExposedPorts(word)).toEqual(expected));
}

function mount(text: string): unknown {
  const [, run] = parseDockerfile(`FROM a\nRUN --mount=${text} x`).instructions;
  const flag = run?.kind === "RUN" ? run.mounts[0] : undefined;
  if (flag === undefined) throw new Error("there is no mount");
  return readMount(flag, { cwd: "/w", expand: (value) => value.replace("$V", "value") });
}

const mounts: [string, object][] = [
  ["target=t", { type: "bind", target: "/w/t", source: "/", isReadOnly: true }],
  ["dst=/t,src=../s,from=x,rw", { type: "bind", target: "/t", source: "/s", from: "x", isReadOnly: false }],
  ["type=bind,destination=/$V,from=$V", { target: "/value", from: "$V" }],
  ["type=bind,target=/t,ro=false", { isReadOnly: false }],
  [
    "type=cache,target=/c",
    { type: "cache", id: "/c", sharing: "shared", isReadOnly: false, mode: 0o755, uid: 0, gid: 0 },
  ],
  [
    "type=cache,target=/c,id=i,sharing=locked,mode=0700,uid=1,gid=2,ro",
    { id: "i", sharing: "locked", mode: 0o700, uid: 1, gid: 2, isReadOnly: true },
  ],
  ["type=tmpfs,target=/t,size=64m", { type: "tmpfs", target: "/t", sizeBytes: 64 * 1024 * 1024 }],
  [`type=tmpfs,'"target=/a,b"'`, { target: "/a,b" }],
  ["type=secret,id=s", { type: "secret", id: "s", isRequired: false }],
  ["type=secret,target=/run/x,required", { id: "x", isRequired: true }],
  ["type=ssh,required=true", { type: "ssh", id: "default", isRequired: true }],
];

for (const [text, expected] of mounts) {
  test(`--mount=${text} is read`, () => expect(mount(text)).toMatchObject(expected));
}

const wrong: [string, string][] = [
  ["type=bind", "the mount needs a target"],
  ["target=..", 'the mount target "/" is the root itself'],
  ["type=cache,target=/c,sharing=x", 'unsupported sharing value "x"'],
  ["type=cache,target=/c,mode=9", 'invalid value "9" for mode'],
  ["type=cache,target=/c,uid=-1", 'invalid value "-1" for uid'],
  ["type=tmpfs,target=/t,size=many", 'invalid value "many" for size'],
  ["target=/t,ro=perhaps", "invalid value for readonly: perhaps"],
];

for (const [text, message] of wrong) {
  test(`--mount=${text} is refused: ${message}`, () => {
    expect(() => mount(text)).toThrow(MountError);
    expect(() => mount(text)).toThrow(message);
  });
}
