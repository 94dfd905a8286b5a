import { expect, test } from "bun:test";
import type { ProgressMessage } from "#api/images.ts";
import { CapturedOutput } from "./_testing/fake-context.ts";
import { BuildView, showBuildLive } from "./build-view.ts";
import { showProgress } from "./progress-view.ts";

/** What is left on the screen after the cursor movements that the views use. */
function screen(text: string): string[] {
  let lines = [""];
  let row = 0;
  for (const part of text.replaceAll("\x1b", "␛").split(/(␛\[\d+[AB]|␛\[0J|␛\[2K|\r|\n)/)) {
    const move = /^␛\[(\d+)([AB])$/.exec(part);
    if (move) row += Number(move[1]) * (move[2] === "A" ? -1 : 1);
    else if (part === "␛[0J") lines = [...lines.slice(0, row), ""];
    else if (part === "␛[2K") lines[row] = "";
    else if (part === "\n") {
      row++;
      lines[row] ??= "";
    } else if (part !== "\r") lines[row] = (lines[row] ?? "") + part;
  }
  return lines.filter((line) => line !== "");
}

function clock(step: number): () => number {
  let now = 0;
  return () => (now += step);
}

async function* stream(...messages: ProgressMessage[]): AsyncGenerator<ProgressMessage, void> {
  for (const message of messages) yield await Promise.resolve(message);
}

test("steps that have ended stay as one line each", () => {
  const output = new CapturedOutput(true);
  const view = new BuildView(output, clock(20));
  for (const text of [
    "Step 1/3 : FROM debian\n ---> abc\n",
    "Step 2/3 : RUN make\n ---> Using cache\n ---> def\n",
    "Step 3/3 : RUN test\n ---> Running in 1\nline 1\nline",
    " 2\n ---> 123\n",
    "Successfully built 123\n",
  ]) {
    view.feed(text);
  }
  view.end();
  const lines = screen(output.text).map((line) => line.replace(/ \([\d.]+s\)$/, ""));
  expect(lines).toEqual([
    "✓ [1/3] FROM debian",
    "✓ [2/3] RUN make (cached)",
    "✓ [3/3] RUN test",
    "Successfully built 123",
  ]);
});

test("the step that runs shows its last lines, without control characters", () => {
  const output = new CapturedOutput(true);
  const view = new BuildView(output, clock(100));
  view.feed("Step 1/1 : RUN x\n");
  for (let i = 1; i <= 8; i++) view.feed(`\x1b[31mline\x1b[0m ${i}\x07\n`);
  view.feed("10%\r50%\r100%\n");
  expect(screen(output.text)).toEqual([
    "▸ [1/1] RUN x",
    "    line 5",
    "    line 6",
    "    line 7",
    "    line 8",
    "    100%",
  ]);
});

test("a failure leaves the failed step's output, and throws the engine's message", async () => {
  const output = new CapturedOutput(true);
  const messages = stream(
    { stream: "Step 1/2 : RUN false\n" },
    { stream: "what went wrong\n" },
    { errorDetail: { message: "returned a non-zero code: 1" } },
  );
  const done = showBuildLive(messages, output, { now: clock(100), onAux: () => undefined });
  await expect(done).rejects.toThrow("returned a non-zero code: 1");
  expect(screen(output.text)).toEqual(["✗ [1/2] RUN false", "    what went wrong"]);
});

test("pull progress on a terminal redraws the line of each layer", async () => {
  const output = new CapturedOutput(true);
  await showProgress(
    stream(
      { status: "Pulling from library/x", id: "latest" },
      { status: "Downloading", id: "aa", progressDetail: { current: 500, total: 1000 } },
      { status: "Downloading", id: "bb", progressDetail: { current: 1, total: 1000 } },
      { status: "Pull complete", id: "aa" },
      { status: "Status: done" },
    ),
    output,
  );
  expect(screen(output.text)).toEqual([
    "latest: Pulling from library/x",
    "aa: Pull complete",
    "bb: Downloading       1B/1kB",
    "Status: done",
  ]);
});

test("elsewhere each change of state is one line, and bytes are left out", async () => {
  const output = new CapturedOutput();
  await showProgress(
    stream(
      { status: "Downloading", id: "aa", progressDetail: { current: 500, total: 1000 } },
      { status: "Pull complete", id: "aa", progressDetail: {} },
      { stream: "Loaded image: x\n" },
    ),
    output,
  );
  expect(output.text).toBe("aa: Pull complete\nLoaded image: x\n");
});
