import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Output, type RunOptions, TestEngine } from "./engine.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start();
}, 60_000);

afterAll(async () => {
  await engine[Symbol.asyncDispose]();
}, 60_000);

const clients: [string, (args: readonly string[], options?: RunOptions) => Promise<Output>][] = [
  ["docker", (args, options) => engine.docker(args, options)],
  ["darse", (args, options) => engine.darse(args, options)],
];

/** A build context that vanishes with its scope. */
async function context(files: Readonly<Record<string, string>>): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "darse-context-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const EVERY_INSTRUCTION = `
ARG BASE=busybox
FROM \${BASE} AS builder
ARG WORD=hello
WORKDIR /src
COPY . .
RUN echo "$WORD from the builder" > made && mkdir -p out/deep && echo deep > out/deep/file

FROM busybox
LABEL who="me" why="test"
ENV GREETING=hi PLACE="the dock"
SHELL ["/bin/sh", "-e", "-c"]
WORKDIR /app
COPY --from=builder /src/made ./
COPY --from=builder --chown=12:34 --chmod=0640 /src/out/deep/file owned
COPY *.txt texts/
ADD archive.tar unpacked/
RUN echo "$GREETING $PLACE" > greeting
EXPOSE 80 53/udp
VOLUME /data
USER nobody
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD true
ENTRYPOINT ["/bin/cat"]
CMD ["made", "greeting"]
`;

for (const [name, client] of clients) {
  test(`${name} build: every instruction has its effect`, async () => {
    await using files = await context({
      Dockerfile: EVERY_INSTRUCTION,
      "a.txt": "a\n",
      "b.txt": "b\n",
      skipped: "x",
      ".dockerignore": "skipped\n",
      "t/inside": "inside\n",
    });
    Bun.spawnSync(["tar", "-C", join(files.path, "t"), "-cf", join(files.path, "archive.tar"), "inside"]);
    const built = await client(["build", "-t", `${name}-every`, "--build-arg", "WORD=bonjour", files.path]);
    expect(built).toMatchObject({ code: 0 });
    expect((await client(["run", "--rm", `${name}-every`])).stdout).toBe(
      "bonjour from the builder\nhi the dock\n",
    );
    const script =
      "ls -ln /app/owned | cut -c1-10; stat -c '%u:%g' /app/owned; ls /app/texts; cat /app/unpacked/inside";
    const look = await client([
      "run",
      "--rm",
      "--entrypoint",
      "/bin/sh",
      "-u",
      "0",
      `${name}-every`,
      "-c",
      script,
    ]);
    expect(look.stdout).toBe("-rw-r-----\n12:34\na.txt\nb.txt\ninside\n");
    const config = await client(["image", "inspect", "--format", "{{json .Config}}", `${name}-every`]);
    expect(JSON.parse(config.stdout)).toMatchObject({
      User: "nobody",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Env: expect.arrayContaining(["GREETING=hi", "PLACE=the dock"]),
      Cmd: ["made", "greeting"],
      Entrypoint: ["/bin/cat"],
      Volumes: { "/data": {} },
      WorkingDir: "/app",
      Labels: { who: "me", why: "test" },
      StopSignal: "SIGINT",
      Shell: ["/bin/sh", "-e", "-c"],
      Healthcheck: { Test: ["CMD-SHELL", "true"], Interval: 5_000_000_000 },
    });
  }, 60_000);

  test(`${name} build: an unchanged build comes whole from the cache and gives the same image`, async () => {
    await using files = await context({
      Dockerfile: `FROM busybox\nLABEL by=${name}\nCOPY f /f\nRUN cat /f /proc/sys/kernel/random/uuid > /g\n`,
      f: "1",
    });
    const id = async (...flags: string[]): Promise<string> => {
      const built = await client(["build", "-q", ...flags, files.path]);
      expect(built).toMatchObject({ code: 0 });
      return built.stdout.trim();
    };
    const first = await id();
    expect(await id()).toBe(first);
    await writeFile(join(files.path, "f"), "2");
    const changed = await id();
    expect(changed).not.toBe(first);
    expect(await id("--no-cache")).not.toBe(changed);
  }, 60_000);

  test(`${name} build --target stops at that stage`, async () => {
    await using files = await context({
      Dockerfile: "FROM busybox AS one\nRUN echo one > /which\nFROM busybox AS two\nRUN exit 1\n",
    });
    expect(await client(["build", "-t", `${name}-one`, "--target", "one", files.path])).toMatchObject({
      code: 0,
    });
    expect((await client(["run", "--rm", `${name}-one`, "cat", "/which"])).stdout).toBe("one\n");
  }, 60_000);

  test(`${name} build: a step that fails ends the build with its code, and leaves no image`, async () => {
    await using files = await context({ Dockerfile: "FROM busybox\nRUN echo before; exit 3\n" });
    const built = await client(["build", "-t", `${name}-failed`, files.path]);
    expect(built.code).not.toBe(0);
    expect(built.stdout + built.stderr).toContain("before");
    expect(built.stderr + built.stdout).toContain("returned a non-zero code: 3");
    expect((await client(["image", "inspect", `${name}-failed`])).code).toBe(1);
  }, 60_000);

  test(`${name} build: a Dockerfile error names line, word and a near match`, async () => {
    await using files = await context({ Dockerfile: "FROM busybox\n\nRUNN true\n" });
    const built = await client(["build", files.path]);
    expect(built.code).not.toBe(0);
    expect(built.stderr + built.stdout).toMatch(/line 3: unknown instruction: RUNN.*did you mean RUN\?/);
  }, 60_000);
}

test("ONBUILD runs in the build of the child", async () => {
  await using parent = await context({
    Dockerfile: "FROM busybox\nONBUILD COPY f /copied\nONBUILD RUN cat /copied > /seen\n",
  });
  expect(await engine.darse(["build", "-t", "parent", parent.path])).toMatchObject({ code: 0 });
  await using child = await context({ Dockerfile: "FROM parent\nRUN cat /seen > /again\n", f: "child's\n" });
  expect(await engine.darse(["build", "-t", "child", child.path])).toMatchObject({ code: 0 });
  expect((await engine.darse(["run", "--rm", "child", "cat", "/again"])).stdout).toBe("child's\n");
}, 60_000);
