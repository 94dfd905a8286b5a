import { expect, test } from "bun:test";
import { graphOf } from "./_fixtures/fakes.ts";
import { ClassicStream } from "./classic-stream.ts";
import type { Vertex } from "./graph/vertex.ts";
import type { SolveEvent } from "./solver/events.ts";

/** What is told of `dockerfile` when its vertices, by title, have the events that `play` gives. */
async function told(
  dockerfile: string,
  play: (stream: ClassicStream, vertex: (title: string) => Vertex) => Promise<void>,
): Promise<string> {
  const { steps } = await graphOf(dockerfile);
  let text = "";
  const stream = new ClassicStream(steps, (part) => void (text += part));
  await stream.start();
  await play(stream, (title) => {
    const found = steps.find((step) => step.text === title)?.vertex;
    if (found === undefined) throw new Error(`no step ${title}`);
    return found;
  });
  return text.replaceAll(/[0-9a-f]{12}/g, "ID");
}

const output = (vertex: Vertex, text: string): SolveEvent => ({
  kind: "output",
  vertex,
  stream: "stdout",
  data: new TextEncoder().encode(text),
});

async function run(stream: ClassicStream, vertex: Vertex, text = ""): Promise<void> {
  await stream.take({ kind: "started", vertex });
  if (text !== "") await stream.take(output(vertex, text));
  await stream.take({ kind: "finished", vertex, durationMs: 1 });
}

test("steps are told in Docker's words", async () => {
  const text = await told("FROM base\nENV A=1\nRUN x\nWORKDIR /w\nCMD y\n", async (stream, vertex) => {
    await run(stream, vertex("RUN x"), "hello\n");
    await run(stream, vertex("WORKDIR /w"));
  });
  expect(text).toBe(`Step 1/5 : FROM base
 ---> ID
Step 2/5 : ENV A=1
 ---> ID
Step 3/5 : RUN x
 ---> Running in ID
hello
 ---> Removed intermediate container ID
 ---> ID
Step 4/5 : WORKDIR /w
 ---> ID
Step 5/5 : CMD y
 ---> ID
`);
});

test("steps that run beside each other are told one after another", async () => {
  const text = await told(
    "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM a\nCOPY --from=b / /\n",
    async (stream, vertex) => {
      await run(stream, vertex("RUN b"), "b speaks\n");
      await run(stream, vertex("RUN a"), "a speaks\n");
      await stream.take({ kind: "hit", vertex: vertex("COPY --from=b / /"), reason: "" });
    },
  );
  expect(text.indexOf("a speaks")).toBeLessThan(text.indexOf("b speaks"));
  expect(text).toEndWith("Step 6/6 : COPY --from=b / /\n ---> Using cache\n ---> ID\n");
});

test("a miss is told with its reason when there is something to say", async () => {
  const text = await told("FROM base\nRUN x\nRUN y\n", async (stream, vertex) => {
    await stream.take({ kind: "miss", vertex: vertex("RUN x"), reason: "the variable A changed" });
    await run(stream, vertex("RUN x"));
    await stream.take({ kind: "miss", vertex: vertex("RUN y"), reason: "this step was not built before" });
    await run(stream, vertex("RUN y"));
  });
  expect(text).toContain("RUN x\n ---> Not cached: the variable A changed\n ---> Running in ID\n");
  expect(text).toContain("RUN y\n ---> Running in ID\n");
});

test("what a failing step said is told though one before it has not ended", async () => {
  const text = await told(
    "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM a\nCOPY --from=b / /\n",
    async (stream, vertex) => {
      await stream.take({ kind: "started", vertex: vertex("RUN a") });
      await stream.take({ kind: "started", vertex: vertex("RUN b") });
      await stream.take(output(vertex("RUN b"), "the reason\n"));
      await stream.fail(vertex("RUN b").digest);
    },
  );
  expect(text).toEndWith("Step 4/6 : RUN b\n ---> Running in ID\nthe reason\n");
});

test("a letter that comes in two pieces is one letter, and what is held back is bounded", async () => {
  const text = await told(
    "FROM base AS a\nRUN a\nFROM base\nRUN b\nCOPY --from=a / /\n",
    async (stream, vertex) => {
      const bytes = new TextEncoder().encode("é\n");
      const b = vertex("RUN b");
      await stream.take({ kind: "started", vertex: b });
      await stream.take({ kind: "output", vertex: b, stream: "stdout", data: bytes.subarray(0, 1) });
      await stream.take({ kind: "output", vertex: b, stream: "stdout", data: bytes.subarray(1) });
      for (let index = 0; index < 40; index++) await stream.take(output(b, "x".repeat(100_000)));
      await run(stream, vertex("RUN a"));
    },
  );
  expect(text).toContain(" ---> Running in ID\né\nxxx");
  expect(text).toContain("[output clipped: more than a step may hold back]");
  expect(text.length).toBeLessThan(1_200_000);
});
