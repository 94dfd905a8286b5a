import { expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeFrame } from "#api/stdcopy.ts";
import { EngineError } from "#base/errors.ts";
import { fakeWorld, runInWorld } from "../_testing/fake-context.ts";
import { FakeEngine } from "../_testing/fake-engine.ts";
import { CommandFailure } from "../command-failure.ts";
import { run } from "./run.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const created = { status: 201, json: { Id: "c1", Warnings: [] } };

/** An engine whose container writes `output` when it starts and ends with `exitCode`. */
async function engineThatRuns(
  exitCode: number,
  output: readonly Uint8Array[],
  overrides = {},
): Promise<FakeEngine> {
  const ended = Promise.withResolvers<void>();
  let write = (): void => undefined;
  return await FakeEngine.open(
    {
      "POST /containers/create": () => created,
      "POST /containers/c1/wait": () => ({ after: ended.promise, json: { StatusCode: exitCode } }),
      "POST /containers/c1/start": () => {
        write();
        ended.resolve();
        return { status: 204 };
      },
      ...overrides,
    },
    {
      "POST /containers/c1/attach": (socket) => {
        write = () => {
          for (const chunk of output) socket.write(chunk);
          socket.end();
        };
      },
    },
  );
}

test("attach and wait are open before the start; output and exit code are the container's", async () => {
  await using engine = await engineThatRuns(3, [
    encodeFrame("stdout", bytes("out")),
    encodeFrame("stderr", bytes("err")),
  ]);
  const world = fakeWorld(engine.client);
  expect(await runInWorld(run, ["busybox", "sh", "-c", "x"], world)).toBe(3);
  expect([world.out.text, world.error.text]).toEqual(["out", "err"]);
  expect(engine.calls[0]).toBe("POST /containers/create");
  expect(engine.calls.slice(1, 3).toSorted()).toEqual([
    "POST /containers/c1/attach",
    "POST /containers/c1/wait",
  ]);
  expect(engine.calls[3]).toBe("POST /containers/c1/start");
  expect(JSON.parse(String(engine.seen[0]?.body))).toMatchObject({
    Image: "busybox",
    Cmd: ["sh", "-c", "x"],
    AttachStdin: false,
    AttachStdout: true,
    Tty: false,
  });
});

test("--rm waits for the removal, otherwise for the next exit", async () => {
  for (const [flags, condition] of [
    [["--rm"], "removed"],
    [[], "next-exit"],
  ] as const) {
    await using engine = await engineThatRuns(0, []);
    await runInWorld(run, [...flags, "busybox"], fakeWorld(engine.client));
    const wait = engine.seen.find(({ call }) => call.endsWith("/wait"));
    expect(wait?.query.get("condition")).toBe(condition);
  }
});

test("-d starts, prints the id, and neither attaches nor waits", async () => {
  await using engine = await engineThatRuns(0, []);
  const world = fakeWorld(engine.client);
  expect(await runInWorld(run, ["-d", "--name", "web", "busybox"], world)).toBe(0);
  expect(world.out.text).toBe("c1\n");
  expect(engine.calls).toEqual(["POST /containers/create", "POST /containers/c1/start"]);
  expect(engine.seen[0]?.query.get("name")).toBe("web");
});

test("a missing image is pulled, and create is asked again", async () => {
  let tries = 0;
  await using engine = await engineThatRuns(0, [], {
    "POST /containers/create": () =>
      tries++ === 0 ? { status: 404, json: { message: "No such image: debian:latest" } } : created,
    "POST /images/create": () => ({ lines: [{ status: "Pulling from library/debian", id: "latest" }] }),
  });
  const world = fakeWorld(engine.client);
  expect(await runInWorld(run, ["debian"], world)).toBe(0);
  expect(engine.calls.slice(0, 3)).toEqual([
    "POST /containers/create",
    "POST /images/create",
    "POST /containers/create",
  ]);
  expect(Object.fromEntries(engine.seen[1]?.query ?? [])).toEqual({ fromImage: "debian", tag: "latest" });
  expect(world.error.text).toBe(
    "Unable to find image 'debian:latest' locally\nlatest: Pulling from library/debian\n",
  );
});

test("--pull=never leaves a missing image missing", async () => {
  await using engine = await engineThatRuns(0, [], {
    "POST /containers/create": () => ({ status: 404, json: { message: "No such image: debian:latest" } }),
  });
  expect(runInWorld(run, ["--pull", "never", "debian"], fakeWorld(engine.client))).rejects.toThrow(
    "No such image",
  );
});

test("a pull that fails in its stream ends the run", async () => {
  await using engine = await engineThatRuns(0, [], {
    "POST /containers/create": () => ({ status: 404, json: { message: "No such image: x:latest" } }),
    "POST /images/create": () => ({ lines: [{ errorDetail: { message: "no route" }, error: "no route" }] }),
  });
  const world = fakeWorld(engine.client);
  const error = await runInWorld(run, ["x"], world).catch((failure: unknown) => failure);
  expect(error).toBeInstanceOf(EngineError);
  expect(String(error)).toContain("no route");
});

const startFailures: [string, number | undefined][] = [
  ['exec: "nope": executable file not found in $PATH: unknown', 127],
  ['exec: "/nope": stat /nope: no such file or directory', 127],
  ['exec: "/etc": is a directory: permission denied', 126],
  ["failed to bind host port for 0.0.0.0:80: address already in use", undefined],
];

for (const [message, exitCode] of startFailures) {
  test(`a start that fails by "${message}" has exit code ${exitCode ?? 125}`, async () => {
    await using engine = await engineThatRuns(0, [], {
      "POST /containers/c1/start": () => ({ status: 400, json: { message } }),
    });
    const error = await runInWorld(run, ["busybox"], fakeWorld(engine.client)).catch(
      (failure: unknown) => failure,
    );
    expect(error instanceof CommandFailure ? error.exitCode : undefined).toBe(exitCode);
    expect(run.failureCode).toBe(125);
  });
}

test("-i sends standard input and half-closes it", async () => {
  const ended = Promise.withResolvers<void>();
  let received = "";
  await using engine = await FakeEngine.open(
    {
      "POST /containers/create": () => created,
      "POST /containers/c1/wait": () => ({ after: ended.promise, json: { StatusCode: 0 } }),
      "POST /containers/c1/start": () => ({ status: 204 }),
    },
    {
      "POST /containers/c1/attach": (socket) => {
        socket.on("data", (chunk) => {
          received += String(chunk);
        });
        socket.on("end", () => {
          socket.end(encodeFrame("stdout", bytes(received.toUpperCase())));
          ended.resolve();
        });
      },
    },
  );
  const world = fakeWorld(engine.client, "hello");
  expect(await runInWorld(run, ["-i", "busybox", "cat"], world)).toBe(0);
  expect(world.out.text).toBe("HELLO");
  expect(JSON.parse(String(engine.seen[0]?.body))).toMatchObject({
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
  });
});

test("signals go to the container, those before its start too; the third Ctrl-C leaves", async () => {
  const started = Promise.withResolvers<void>();
  const killed = Promise.withResolvers<void>();
  const signals: (string | null)[] = [];
  await using engine = await FakeEngine.open(
    {
      "POST /containers/create": () => created,
      "POST /containers/c1/wait": () => ({ after: new Promise(() => undefined) }),
      "POST /containers/c1/start": () => {
        world.signal("SIGTERM");
        setImmediate(started.resolve);
        return { status: 204 };
      },
      "POST /containers/c1/kill": ({ query }) => {
        signals.push(query.get("signal"));
        if (signals.length === 2) killed.resolve();
        return { status: 204 };
      },
    },
    { "POST /containers/c1/attach": () => undefined },
  );
  const world = fakeWorld(engine.client);
  const outcome = runInWorld(run, ["busybox"], world).catch((error: unknown) => error);
  await started.promise;
  world.signal("SIGINT");
  await killed.promise;
  expect(signals).toEqual(["SIGTERM", "SIGINT"]);
  world.signal("SIGINT");
  expect(String(await outcome)).toContain("got 3 SIGTERM/SIGINTs, forcefully exiting");
});

test("-it without a terminal is refused before anything is made", async () => {
  await using engine = await engineThatRuns(0, []);
  expect(runInWorld(run, ["-it", "busybox"], fakeWorld(engine.client))).rejects.toThrow(
    "the input device is not a TTY",
  );
  expect(engine.calls).toEqual([]);
});

test("with a terminal output is raw, and the size goes with create and after the start", async () => {
  await using engine = await engineThatRuns(0, [bytes("raw \x01\x02")], {
    "POST /containers/c1/resize": () => ({ status: 200 }),
  });
  const world = fakeWorld(engine.client, "", { hasTerminal: true });
  expect(await runInWorld(run, ["-it", "busybox"], world)).toBe(0);
  expect(world.out.text).toBe("raw \x01\x02");
  expect(JSON.parse(String(engine.seen[0]?.body))).toMatchObject({
    Tty: true,
    HostConfig: { ConsoleSize: [24, 80] },
  });
});

test("typing the detach keys ends the command, not the container", async () => {
  await using engine = await FakeEngine.open(
    {
      "POST /containers/create": () => created,
      "POST /containers/c1/wait": () => ({ after: new Promise(() => undefined) }),
      "POST /containers/c1/start": () => ({ status: 204 }),
      "POST /containers/c1/resize": () => ({ status: 200 }),
    },
    { "POST /containers/c1/attach": (socket) => void socket.on("data", () => socket.end()) },
  );
  const world = fakeWorld(engine.client, "\x10\x11", { hasTerminal: true });
  expect(await runInWorld(run, ["-it", "busybox"], world)).toBe(0);
  expect(world.error.text).toBe("read escape sequence\n");
});

test("--cidfile holds the id, is refused when it exists, and is not left behind by a failure", async () => {
  const folder = mkdtempSync(join(tmpdir(), "darse-cid-"));
  const path = join(folder, "id");
  try {
    await using engine = await engineThatRuns(0, []);
    await runInWorld(run, ["-d", "--cidfile", path, "busybox"], fakeWorld(engine.client));
    expect(readFileSync(path, "utf8")).toBe("c1");
    expect(runInWorld(run, ["-d", "--cidfile", path, "busybox"], fakeWorld(engine.client))).rejects.toThrow(
      "container ID file found",
    );
    await using broken = await FakeEngine.open({});
    const other = join(folder, "other");
    await runInWorld(run, ["--cidfile", other, "busybox"], fakeWorld(broken.client)).catch(() => undefined);
    expect(existsSync(other)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const [argv, message] of [
  [["--rm", "--restart", "always", "x"], "conflicting options: cannot specify both --restart and --rm"],
  [["-d", "-a", "stdout", "x"], "conflicting options: cannot specify both --attach and --detach"],
  [["-a", "nope", "x"], "valid streams are STDIN, STDOUT and STDERR"],
  [["--pull", "nope", "x"], "invalid pull option: 'nope'"],
] as const) {
  test(`run ${argv.join(" ")} is refused: ${message}`, async () => {
    await using engine = await engineThatRuns(0, []);
    expect(runInWorld(run, [...argv], fakeWorld(engine.client))).rejects.toThrow(message);
    expect(engine.calls).toEqual([]);
  });
}
