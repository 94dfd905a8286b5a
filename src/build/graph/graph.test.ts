import { expect, test } from "bun:test";
import { graphOf, memorySources, type TextGraphOptions } from "../_fixtures/fakes.ts";
import type { BaseImage } from "./sources.ts";
import { hostPlatform } from "#oci/platform.ts";

const FILES = new Map([
  ["a", "1"],
  ["b", "2"],
]);
const sources = () =>
  memorySources(
    new Map([
      ["base", {}],
      ["other", {}],
    ]),
    FILES,
  );

async function key(text: string, options: TextGraphOptions = {}): Promise<string> {
  const { result } = await graphOf(text, { sources: sources(), ...options });
  return result.vertex.digest;
}

// Case 26: whatever a step depends on is part of its key.
const mutations: [string, string, string][] = [
  ["the base", "FROM base\nRUN x", "FROM other\nRUN x"],
  ["a command", "FROM base\nRUN x", "FROM base\nRUN y"],
  ["the form of a command", "FROM base\nRUN x", 'FROM base\nRUN ["x"]'],
  ["a step before", "FROM base\nRUN x\nRUN z", "FROM base\nRUN y\nRUN z"],
  ["the order", "FROM base\nRUN x\nRUN y", "FROM base\nRUN y\nRUN x"],
  ["a variable", "FROM base\nENV A=1\nRUN x", "FROM base\nENV A=2\nRUN x"],
  ["a variable's name", "FROM base\nENV A=1\nRUN x", "FROM base\nENV B=1\nRUN x"],
  ["an argument's default", "FROM base\nARG A=1\nRUN x", "FROM base\nARG A=2\nRUN x"],
  ["an argument in scope", "FROM base\nRUN x", "FROM base\nARG A=1\nRUN x"],
  ["the user", "FROM base\nUSER a\nRUN x", "FROM base\nUSER b\nRUN x"],
  ["the shell", "FROM base\nRUN x", 'FROM base\nSHELL ["sh"]\nRUN x'],
  ["the working directory", "FROM base\nWORKDIR /a\nRUN x", "FROM base\nWORKDIR /b\nRUN x"],
  ["the user of a new directory", "FROM base\nUSER a\nWORKDIR /a", "FROM base\nUSER b\nWORKDIR /a"],
  ["the network", "FROM base\nRUN x", "FROM base\nRUN --network=none x"],
  ["a mount", "FROM base\nRUN x", "FROM base\nRUN --mount=type=tmpfs,target=/t x"],
  [
    "a mount's target",
    "FROM base\nRUN --mount=type=cache,target=/t x",
    "FROM base\nRUN --mount=type=cache,target=/u x",
  ],
  [
    "a mount's id",
    "FROM base\nRUN --mount=type=cache,target=/t x",
    "FROM base\nRUN --mount=type=cache,target=/t,id=i x",
  ],
  [
    "a mount's sharing",
    "FROM base\nRUN --mount=type=cache,target=/t x",
    "FROM base\nRUN --mount=type=cache,target=/t,sharing=locked x",
  ],
  [
    "where a mount comes from",
    "FROM base\nRUN --mount=from=base,target=/t x",
    "FROM base\nRUN --mount=from=other,target=/t x",
  ],
  [
    "a part of a mount",
    "FROM base\nRUN --mount=from=base,target=/t x",
    "FROM base\nRUN --mount=from=base,target=/t,source=/s x",
  ],
  ["a script", "FROM base\nRUN <<E\na\nE", "FROM base\nRUN <<E\nb\nE"],
  ["an interpreted script", "FROM base\nRUN <<E\n#!/a\n1\nE", "FROM base\nRUN <<E\n#!/a\n2\nE"],
  ["a source", "FROM base\nCOPY a /x", "FROM base\nCOPY b /x"],
  ["a destination", "FROM base\nCOPY a /x", "FROM base\nCOPY a /y"],
  ["a destination that is a directory", "FROM base\nCOPY a /x", "FROM base\nCOPY a /x/"],
  ["an owner", "FROM base\nCOPY a /x", "FROM base\nCOPY --chown=1 a /x"],
  ["a mode", "FROM base\nCOPY a /x", "FROM base\nCOPY --chmod=700 a /x"],
  ["an exclusion", "FROM base\nCOPY a /x", "FROM base\nCOPY --exclude=q a /x"],
  ["kept parents", "FROM base\nCOPY a /x", "FROM base\nCOPY --parents a /x"],
  ["unpacking", "FROM base\nCOPY a /x", "FROM base\nADD a /x"],
  ["unpacking forbidden", "FROM base\nADD a /x", "FROM base\nADD --unpack=false a /x"],
  ["where it is copied from", "FROM base\nCOPY --from=base a /x", "FROM base\nCOPY --from=other a /x"],
  ["an inline file's text", "FROM base\nCOPY <<f /x\n1\nf", "FROM base\nCOPY <<f /x\n2\nf"],
  ["an inline file's name", "FROM base\nCOPY <<f /x/\n1\nf", "FROM base\nCOPY <<g /x/\n1\ng"],
];

for (const [name, one, other] of mutations) {
  test(`${name} is part of the key`, async () => {
    expect(await key(one)).not.toBe(await key(other));
  });
}

const options: [string, TextGraphOptions][] = [
  ["the network", { network: { kind: "none" } }],
  ["the network that people made", { network: { kind: "named", name: "shop" } }],
  ["the container whose network it is", { network: { kind: "container", id: "c" } }],
  ["the hosts", { extraHosts: ["a:1.2.3.4"] }],
  ["the memory", { resources: { memoryBytes: 1 } }],
  ["the size of shm", { shmBytes: 1 }],
  ["the limits", { rlimits: [{ name: "nofile", soft: 1, hard: 1 }] }],
  ["a build argument", { args: { A: "2" } }],
  ["the host name", { args: { BUILDKIT_SANDBOX_HOSTNAME: "h" } }],
  ["the file's content", { sources: memorySources(new Map([["base", {}]]), new Map([["a", "other"]])) }],
];

for (const [name, option] of options) {
  test(`the option ${name} is part of the key`, async () => {
    const text = "FROM base\nARG A=1\nCOPY a /\nRUN x";
    expect(await key(text)).not.toBe(await key(text, option));
  });
}

test("proxies are given to steps and change no key", async () => {
  const text = "FROM base\nRUN x";
  const args = { HTTP_PROXY: "http://proxy" };
  expect(await key(text)).toBe(await key(text, { args }));
  const { result } = await graphOf(text, { args });
  expect(result.vertex.operation).toMatchObject({ proxyEnv: ["HTTP_PROXY=http://proxy"] });
});

test("comments, blanks, labels and other metadata change no key", async () => {
  expect(await key("FROM base\nRUN x")).toBe(
    await key("# hi\nfrom base as b\n\nEXPOSE 80\nLABEL a=b\nRUN x\nCMD y"),
  );
});

test("only stages that the target needs are looked at", async () => {
  const asked = memorySources(
    new Map([
      ["base", {}],
      ["other", {}],
    ]),
  );
  const text = "FROM base AS a\nRUN a\nFROM other AS b\nRUN b\nFROM missing AS c\nFROM a\nRUN d\n";
  const { steps } = await graphOf(text, { sources: asked });
  expect(asked.asked).toEqual(["base"]);
  expect(steps.map((step) => step.text)).toEqual(["FROM base AS a", "RUN a", "FROM a", "RUN d"]);
  expect((await graphOf(text, { sources: asked, target: "1" })).steps.map((step) => step.text)).toEqual([
    "FROM other AS b",
    "RUN b",
  ]);
});

test("the configuration is Docker's", async () => {
  const { result } = await graphOf(`FROM scratch
MAINTAINER Ann
ENV A=1 B=$A
ENV B=$A C="x y"
ARG V=9
LABEL a=$V
EXPOSE 443 80/tcp 53/UDP 8000-8001
VOLUME /v $A
USER u:g
WORKDIR /w
WORKDIR x
STOPSIGNAL SIGTERM
SHELL ["/bin/bash", "-c"]
HEALTHCHECK --interval=30s CMD true
CMD run $A
ENTRYPOINT ["/e"]
ONBUILD RUN z
`);
  expect(result.config).toEqual({
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "A=1", "B=1", "C=x y"],
    labels: new Map([["a", "9"]]),
    exposedPorts: ["443/tcp", "53/udp", "80/tcp", "8000/tcp", "8001/tcp"],
    volumes: ["/v", "1"].toSorted(),
    user: "u:g",
    workingDir: "/w/x",
    stopSignal: "SIGTERM",
    shell: ["/bin/bash", "-c"],
    healthcheck: { test: ["CMD-SHELL", "true"], intervalNs: 30e9 },
    cmd: ["/bin/bash", "-c", "run $A"],
    argsEscaped: true,
    entrypoint: ["/e"],
    onBuild: ["RUN z"],
  });
  expect(result.author).toBe("Ann");
  expect(result.history.map((item) => (item.kind === "inherited" ? "" : item.createdBy))).toEqual([
    "MAINTAINER Ann",
    "ENV A=1 B=",
    "ENV B=1 C=x y",
    "ARG V=9",
    "LABEL a=9",
    "EXPOSE [443/tcp 80/tcp 53/udp 8000/tcp 8001/tcp]",
    "VOLUME [/v 1]",
    "USER u:g",
    "WORKDIR /w",
    "WORKDIR /w/x",
    "STOPSIGNAL SIGTERM",
    "SHELL [/bin/bash -c]",
    'HEALTHCHECK &{["CMD-SHELL" "true"] "30s" "0s" "0s" "0s" \'\\x00\'}',
    'CMD ["/bin/bash" "-c" "run $A"]',
    'ENTRYPOINT ["/e"]',
    "ONBUILD RUN z",
  ]);
});

test("ENTRYPOINT drops the base's CMD unless the stage gives one", async () => {
  const base: Partial<BaseImage> = {
    config: { platform: hostPlatform(), config: { cmd: ["c"], entrypoint: ["e"] }, diffIds: [], history: [] },
  };
  const images = memorySources(new Map([["base", base]]));
  const config = async (text: string) => (await graphOf(text, { sources: images })).result.config;
  expect((await config("FROM base\nENTRYPOINT x")).cmd).toBeUndefined();
  expect((await config("FROM base\nCMD y\nENTRYPOINT x")).cmd).toEqual(["/bin/sh", "-c", "y"]);
  expect((await config("FROM base\nCMD y")).entrypoint).toEqual(["e"]);
});

test("triggers of the base run first, and are gone from the result", async () => {
  const onBuild = ["ENV A=1", "RUN echo $A", "COPY <<f /f\nbody\nf"];
  const base = { config: { platform: hostPlatform(), config: { onBuild }, diffIds: [], history: [] } };
  const { result, steps } = await graphOf("FROM base\nRUN own\n", {
    sources: memorySources(new Map([["base", base]])),
  });
  expect(steps.map((step) => step.text)).toEqual([
    "FROM base",
    "ENV A=1",
    "RUN echo $A",
    "COPY <<f /f",
    "RUN own",
  ]);
  expect(result.config.onBuild).toBeUndefined();
});

const argScopes: [string, string, Record<string, string>, string[]][] = [
  ["a global argument is unknown in a stage until declared", "ARG A=1\nFROM base\nRUN x", {}, []],
  ["a global argument declared in a stage has its value", "ARG A=1\nFROM base\nARG A\nRUN x", {}, ["A=1"]],
  ["a given value beats the default", "FROM base\nARG A=1\nRUN x", { A: "2" }, ["A=2"]],
  ["a given value reaches the global argument", "ARG A=1\nFROM base\nARG A\nRUN x", { A: "2" }, ["A=2"]],
  ["ENV beats ARG", "FROM base\nENV A=e\nARG A=1\nRUN x", { A: "2" }, ["A=e"]],
  ["an argument without a value is not there", "FROM base\nARG A\nRUN x", {}, []],
  [
    "a stage inherits the arguments of the one it begins with",
    "FROM base AS s\nARG A=1\nFROM s\nRUN x",
    {},
    ["A=1"],
  ],
  ["a stage that begins with another image does not", "FROM base AS s\nARG A=1\nFROM base\nRUN x", {}, []],
  ["an argument sees those before it", "FROM base\nARG A=1\nARG B=${A}2\nRUN x", {}, ["A=1", "B=12"]],
  ["the platform is known once declared", "FROM base\nARG TARGETOS\nRUN x", {}, ["TARGETOS=linux"]],
];

for (const [name, text, args, expected] of argScopes) {
  test(name, async () => {
    const { result } = await graphOf(text, { args });
    const { operation } = result.vertex;
    const env = operation.kind === "run" ? operation.env.filter((pair) => !pair.startsWith("PATH=")) : [];
    expect(env).toEqual(expected);
  });
}

test("arguments in scope stand before the command in the history", async () => {
  const { result } = await graphOf("FROM base\nARG A=1\nARG B\nRUN x");
  expect(result.history.at(-1)).toMatchObject({ createdBy: "RUN |2 A=1 B= /bin/sh -c x # buildkit" });
});

test("arguments that nobody declares are told, known ones are not", async () => {
  const { warnings } = await graphOf("FROM base\n", { args: { X: "1", HTTP_PROXY: "p", A: "" } });
  expect(warnings).toEqual(["One or more build-args [A X] were not consumed"]);
});

const commands: [string, string, readonly string[]][] = [
  ["a shell command is one argument", "RUN a  b", ["/bin/sh", "-c", "a  b"]],
  ["an inline file alone is the script", "RUN <<E\na\nb\nE", ["/bin/sh", "-c", "a\nb\n"]],
  ["tabs are stripped on demand", "RUN <<-E\n\ta\n\tE", ["/bin/sh", "-c", "a\n"]],
  [
    "an inline file beside a command is left to the shell",
    "RUN cat <<E\na\nE",
    ["/bin/sh", "-c", "cat <<E\na\nE"],
  ],
  ["a script with an interpreter is a file", "RUN <<E\n#!/usr/bin/env x\nE", ["/dev/pipes/E"]],
];

for (const [name, text, args] of commands) {
  test(name, async () => {
    const { result } = await graphOf(`FROM base\n${text}`);
    expect(result.vertex.operation).toMatchObject({ kind: "run", args });
  });
}

const destinations: [string, string][] = [
  ["COPY a x", "/w/x"],
  ["COPY a x/", "/w/x/"],
  ["COPY a .", "/w/"],
  ["COPY a ./", "/w/"],
  ["COPY a /", "/"],
  ["COPY a /x/..", "/"],
  ["COPY a ../../../etc/", "/etc/"],
  ["COPY a $D", "/d"],
];

for (const [text, destination] of destinations) {
  test(`${text} in /w goes to ${destination}`, async () => {
    const { result } = await graphOf(`FROM base\nENV D=/d\nWORKDIR /w\n${text}`, { sources: sources() });
    expect(result.vertex.operation).toMatchObject({ kind: "copy", destination });
  });
}

test("an inline file's variables are replaced, its quotes stay", async () => {
  const { result } = await graphOf(`FROM base\nENV A=1\nCOPY <<f <<"g" /x/\n"$A" '\${A}' it's\nf\n$A\ng`);
  expect(result.vertex.operation).toMatchObject({
    sources: [
      { from: "text", name: "f", text: `"1" '1' it's\n` },
      { from: "text", name: "g", text: "$A\n" },
    ],
  });
});

const refused: [string, string, TextGraphOptions?][] = [
  ["FROM base\nRUN --security=insecure x", "RUN --security=insecure is not granted"],
  ["FROM base\nRUN --network=host x", "RUN --network=host is not granted"],
  ["FROM base\nRUN --device=gpu x", "RUN --device is not granted"],
  ["FROM base\nRUN --mount=type=secret,id=s,required x", 'the secret "s" is required'],
  ["FROM base\nRUN --mount=type=bind,target=/ x", "is the root itself"],
  ["FROM base\nRUN --mount=type=what,target=/x x", 'unsupported mount type "what"'],
  ["FROM base\nRUN --mount=type=tmpfs,target=/x,id=1 x", "unexpected key 'id' for mount type 'tmpfs'"],
  ["FROM base\nCOPY missing /", '"missing": not found in the build context'],
  ["FROM base\nCOPY --chmod=999 a /", "invalid chmod parameter: '999'"],
  ["FROM base\nCOPY --from=$X a /", "'--from' does not support variable expansion"],
  ["FROM base\nCOPY --from=1 a /", "invalid stage index 1"],
  ["FROM base AS me\nCOPY --from=me a /", 'stage "me" cannot copy from itself'],
  ["FROM base\nCOPY https://x/y /", "source can't be a URL for COPY"],
  ["FROM base\nADD https://x/y /", "ADD does not fetch https://x/y"],
  ["FROM $X", "base name ($X) should not be blank"],
  ["FROM nothing", "No such image: nothing\nDockerfile:1:6"],
  ["FROM base\nEXPOSE 0", "invalid containerPort: 0"],
  ["FROM base\nEXPOSE 80/http", "invalid containerPort: 80/http"],
  ["FROM base\nSTOPSIGNAL NOPE", "invalid signal: NOPE"],
  ["FROM base\nWORKDIR /proc/self/fd/8", "it names a file descriptor"],
  [`FROM base\nENV A="\${B:?need B}"`, "B: need B"],
  [
    "FROM base AS one",
    "failed to reach build target onr in Dockerfile (did you mean one?)",
    { target: "onr" },
  ],
];

for (const [text, message, option] of refused) {
  test(`${text.replaceAll("\n", " / ")} is refused: ${message.split("\n", 1)[0]}`, async () => {
    await expect(graphOf(text, { sources: sources(), ...option })).rejects.toThrow(message);
  });
}

test("RUN --network=host is granted by a build on the host's network", async () => {
  const { result } = await graphOf("FROM base\nRUN --network=host x", { network: { kind: "host" } });
  expect(result.vertex.operation).toMatchObject({ network: { kind: "host" } });
});

test("a mistyped stage in --from is guessed", async () => {
  const found = await graphOf("FROM base AS build\nFROM base\nCOPY --from=biuld a /").catch(
    (error: unknown) => error,
  );
  expect(found).toMatchObject({ kind: "not-found", hint: "did you mean the stage build?" });
});

test("values that double with every instruction are stopped", async () => {
  const lines = Array.from({ length: 60 }, () => "ENV A=$A$A");
  await expect(graphOf(`FROM base\nENV A=xxxxxxxx\n${lines.join("\n")}`)).rejects.toThrow("grows beyond");
});

// Case 27.
test("an argument or a variable named like a secret is warned of", async () => {
  const { warnings } = await graphOf("FROM base\nARG API_TOKEN\nENV DB_PASSWORD=x PUBLIC_KEY=y KEYBOARD=z\n");
  expect(warnings).toEqual([
    'Do not use ARG or ENV instructions for sensitive data: ARG "API_TOKEN" stays in the image (Dockerfile line 2)',
    'Do not use ARG or ENV instructions for sensitive data: ENV "DB_PASSWORD" stays in the image (Dockerfile line 3)',
  ]);
});
