import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import {
  CREATED,
  decodeState,
  died,
  ended,
  type Exited,
  exitCodeOf,
  paused,
  type Paused,
  removing,
  type Removing,
  restartCancelled,
  type Restarting,
  type Running,
  type State,
  started,
  startFailed,
  unpaused,
} from "./state.ts";

const exit = { exitCode: 3, oomKilled: false, startedAt: 10, finishedAt: 20 };
const running: Running = { status: "running", pid: 7, startedAt: 30 };
const again: Running = { ...running, previousFinishedAt: 20 };
const frozen: Paused = { status: "paused", pid: 7, startedAt: 30 };
const exited: Exited = { status: "exited", ...exit };
const waiting: Restarting = { status: "restarting", ...exit };
const failure = { exitCode: 127, message: "not found" };
const failed: Exited = { status: "exited", ...exit, exitCode: 127, failure };
const going: Removing = { status: "removing", before: exited };
const dead: State = { status: "dead", exitCode: 3, finishedAt: 20, message: "busy" };
const afterRun = { exitCode: 1, oomKilled: true, startedAt: 30, finishedAt: 40 };
const end = { exitCode: 1, oomKilled: true, finishedAt: 40 };

const moves: Record<string, (state: State) => State> = {
  start: (state) => started(state, 7, 30),
  fail: (state) => startFailed(state, failure),
  pause: paused,
  unpause: unpaused,
  end: (state) => ended(state, end, false),
  endAndRestart: (state) => ended(state, end, true),
  cancelRestart: restartCancelled,
  remove: removing,
  die: (state) => died(state, "busy"),
};

const table: [State, Record<string, State>][] = [
  [
    CREATED,
    { start: running, fail: { status: "created", failure }, remove: { status: "removing", before: CREATED } },
  ],
  [
    running,
    {
      pause: frozen,
      end: { status: "exited", ...afterRun },
      endAndRestart: { status: "restarting", ...afterRun },
    },
  ],
  [
    frozen,
    {
      unpause: running,
      end: { status: "exited", ...afterRun },
      endAndRestart: { status: "restarting", ...afterRun },
    },
  ],
  [waiting, { start: again, fail: failed, cancelRestart: exited, remove: going }],
  [exited, { start: again, fail: failed, remove: going }],
  [going, { remove: going, die: dead }],
  [dead, { remove: { status: "removing", before: dead } }],
];

for (const [state, allowed] of table) {
  for (const [verb, move] of Object.entries(moves)) {
    const want = allowed[verb];
    test(`${verb} from ${state.status} ${want ? `gives ${want.status}` : "is a conflict"}`, () => {
      if (want) expect(move(state)).toEqual(want);
      else expect(() => move(state)).toThrow(EngineError);
    });
  }
  test(`a record keeps ${state.status}`, () => {
    expect(decodeState(JSON.parse(JSON.stringify(state)))).toEqual(state);
  });
}

test("the exit code is that of the last end, or of the start that failed", () => {
  const codes = [CREATED, running, waiting, exited, going, dead, failed].map(exitCodeOf);
  expect(codes).toEqual([0, 0, 3, 3, 3, 3, 127]);
});

test("a state of unknown name is refused", () => {
  expect(() => decodeState({ status: "sleeping" })).toThrow('status "sleeping" is not known');
});
