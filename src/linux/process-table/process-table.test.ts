import { expect, test } from "bun:test";
import { processTable } from "./process-row.ts";
import { listProcesses, readProcessTable } from "./process-table.ts";
import { checkPsOptions, parsePsOutput } from "./ps-output.ts";

const NEVER = new AbortController().signal;

const PS = `UID        PID  PPID  C STIME TTY          TIME CMD
root         1     0  0 10:00 ?        00:00:01 /sbin/init splash
root        41     1  0 10:00 ?        00:00:00 sh -c sleep 1;  echo  done
app         42    41  0 10:00 pts/0    00:00:00 sleep 1
`;

test("only the lines of the wanted processes are taken, the command whole", () => {
  const { titles, rows } = parsePsOutput(PS, new Set([41, 42]));
  expect(titles).toEqual(["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]);
  expect(rows).toEqual([
    ["root", "41", "1", "0", "10:00", "?", "00:00:00", "sh -c sleep 1; echo done"],
    ["app", "42", "41", "0", "10:00", "pts/0", "00:00:00", "sleep 1"],
  ]);
});

test("lines of threads go with their process", () => {
  const output = "PID LWP CMD\n1 - init\n- 1 -\n41 - sh\n- 41 -\n- 43 -\n44 - other\n- 44 -\n";
  expect(parsePsOutput(output, new Set([41])).rows).toEqual([
    ["41", "-", "sh"],
    ["-", "41", "-"],
    ["-", "43", "-"],
  ]);
});

test("blanks that are not ASCII divide nothing", () => {
  expect(parsePsOutput("PID CMD\n41 a\u00a0b\u2003c\n", new Set([41])).rows).toEqual([
    ["41", "a\u00a0b\u2003c"],
  ]);
});

test("without a column PID, or a number in it, nothing is shown", () => {
  expect(() => parsePsOutput("USER CMD\nroot sh\n", new Set([41]))).toThrow(
    "Couldn't find PID field in ps output",
  );
  expect(() => parsePsOutput("CMD PID\na b 41\n", new Set([41]))).toThrow("Unexpected pid 'b'");
});

for (const options of [
  "-o args=PID",
  "-oargs=PID,pid",
  "-ef -o  pid,args=PID",
  "-o comm= PID",
  "-o ppid=PID2",
]) {
  test(`${options} calls another column PID and is refused`, () => {
    expect(() => checkPsOptions(options)).toThrow(/^specifying ".*=PID.*" is not allowed$/);
  });
}
for (const options of ["-ef", "aux", "-o pid,args", "-o pid=PID", "-o user=NAME,pid"]) {
  test(`${options} is let through`, () => expect(() => checkPsOptions(options)).not.toThrow());
}

const stat = (name: string, start: number, tty = 0, ticks = 0): string =>
  `41 (${name}) S 7 41 41 ${tty} -1 4194304 1 0 0 0 ${ticks} 0 0 0 20 0 1 0 ${start} 1 1`;
const now = new Date(2026, 5, 15, 12, 30).getTime();
const hour = 3_600_000;

const rows: [string, { stat: string; uid?: number; cmdline?: string }, string[]][] = [
  [
    "started today",
    { stat: stat("sh", 0), cmdline: "sh\0-c\0true\0" },
    ["root", "41", "7", "0", "11:30", "?", "00:00:00", "sh -c true"],
  ],
  [
    "a busy one on a terminal",
    { stat: stat("sh", 0, 0x8803, 180_000), cmdline: "sh\0" },
    ["root", "41", "7", "50", "11:30", "pts/3", "00:30:00", "sh"],
  ],
  [
    "a long name of a user, no arguments, brackets in its name",
    { stat: stat("a) b (c", 0), uid: 1000 },
    ["applica+", "41", "7", "0", "11:30", "?", "00:00:00", "[a) b (c]"],
  ],
  [
    "an unknown user, and a command that would write over the terminal",
    { stat: stat("x", 0), uid: 77, cmdline: "a\u001b[2J\nb\u202ec" },
    ["77", "41", "7", "0", "11:30", "?", "00:00:00", "a?[2J?b?c"],
  ],
];
for (const [name, process, want] of rows) {
  test(`without ps: ${name}`, () => {
    const userNames = new Map([
      [0, "root"],
      [1000, "application"],
    ]);
    const facts = { nowMs: now, bootMs: now - hour, userNames };
    expect(processTable([{ pid: 41, uid: 0, cmdline: "", ...process }], facts).rows).toEqual([want]);
  });
}

const starts: [number, string, number, string][] = [
  [24 * hour, "Jun14", 0, "00:00:00"],
  [24 * 200 * hour, "2025", 100 * (26 * 3600 + 61), "1-02:01:01"],
];
for (const [age, start, ticks, time] of starts) {
  test(`without ps: one that started ${age / hour} hours ago`, () => {
    const facts = { nowMs: now, bootMs: now - age, userNames: new Map<number, string>() };
    const [row] = processTable([{ pid: 41, uid: 0, cmdline: "", stat: stat("x", 0, 0, ticks) }], facts).rows;
    expect([row?.[4], row?.[6]]).toEqual([start, time]);
  });
}

test("this process is found, with and without ps", async () => {
  const own = readProcessTable([process.pid, 2 ** 22 + 1]);
  expect(own.rows).toHaveLength(1);
  expect(own.rows[0]?.[1]).toBe(String(process.pid));
  const asked = await listProcesses("-o pid,ppid,comm", [process.pid], NEVER);
  expect(asked.titles).toEqual(["PID", "PPID", "COMMAND"]);
  expect(asked.rows.map(([pid]) => pid)).toEqual([String(process.pid)]);
});

test("options never reach a shell, and a refusal of ps is told", async () => {
  expect(listProcesses("-ef;id", [process.pid], NEVER)).rejects.toMatchObject({
    kind: "invalid",
    message: expect.stringMatching(/^ps: error: /),
  });
  expect(listProcesses("$(id)", [process.pid], NEVER)).rejects.toThrow(/^ps: error: /);
});

test("options that do not go with a list of processes work all the same", async () => {
  expect((await listProcesses("axf", [process.pid], NEVER)).rows).toHaveLength(1);
});
