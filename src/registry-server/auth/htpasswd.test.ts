import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { EngineError } from "#base/errors.ts";
import { Fault } from "../fault.ts";
import { HtpasswdGuard, parseHtpasswd, type VerifyPassword } from "./htpasswd.ts";

const hash = (mark: string): string => `$2y$04$${mark.repeat(53)}`;
const ANN = hash("a");
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

/** A guard over a file, with a true implementation of "is this the password of that hash" that counts its calls. */
async function guarded(text: string, words: Readonly<Record<string, string>> = { [ANN]: "secret" }) {
  const folder = await mkdtemp(join(tmpdir(), "darse-htpasswd-"));
  const path = join(folder, "users");
  await writeFile(path, text);
  let checks = 0;
  let now = 0;
  const verify: VerifyPassword = async (password, of) => {
    checks++;
    return words[of] === password;
  };
  const guard = await HtpasswdGuard.open({ path, realm: "team", verify, now: () => now });
  return {
    guard,
    path,
    checks: () => checks,
    pass: (ms: number) => {
      now += ms;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

async function refusal(work: Promise<unknown>): Promise<Fault> {
  const error: unknown = await work.then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (error instanceof Fault) return error;
  throw new Error(`not refused: ${String(error)}`);
}

test("a user with the right password gets in, and is asked about once", async () => {
  await using world = await guarded(`# people\n\nann:${ANN}\n`);
  for (let time = 0; time < 3; time++) {
    expect((await world.guard.check(basic("ann", "secret"))).user).toBe("ann");
  }
  expect(world.checks()).toBe(1);
  world.pass(10 * 60 * 1000);
  await world.guard.check(basic("ann", "secret"));
  expect(world.checks()).toBe(2);
});

const wrong: readonly (readonly [name: string, header: string | undefined])[] = [
  ["nothing", undefined],
  ["another password", basic("ann", "Secret")],
  ["another user", basic("bob", "secret")],
  ["a user without password", basic("ann", "")],
  ["no colon", `Basic ${Buffer.from("ann").toString("base64")}`],
  ["another scheme", "Bearer secret"],
  ["no base64", "Basic ???"],
];
for (const [name, header] of wrong) {
  test(`${name} is 401 with a challenge`, async () => {
    await using world = await guarded(`ann:${ANN}`);
    const fault = await refusal(world.guard.check(header));
    expect([fault.status, fault.headers["WWW-Authenticate"]]).toEqual([
      401,
      'Basic realm="team", charset="UTF-8"',
    ]);
  });
}

test("an unknown user costs the same work as a known one", async () => {
  await using world = await guarded(`ann:${ANN}`);
  await refusal(world.guard.check(basic("bob", "x")));
  expect(world.checks()).toBe(1);
});

test("a wrong password is not remembered as right", async () => {
  await using world = await guarded(`ann:${ANN}`);
  await world.guard.check(basic("ann", "secret"));
  await refusal(world.guard.check(basic("ann", "other")));
  await refusal(world.guard.check(basic("ann", "other")));
  expect(world.checks()).toBe(3);
});

test("a changed file counts at once: users come, go, and get other passwords", async () => {
  const other = hash("b");
  await using world = await guarded(`ann:${ANN}`, { [ANN]: "secret", [other]: "new" });
  await world.guard.check(basic("ann", "secret"));
  await writeFile(world.path, `ann:${other}\nbob:${ANN}\n`);
  await refusal(world.guard.check(basic("ann", "secret")));
  expect((await world.guard.check(basic("ann", "new"))).user).toBe("ann");
  expect((await world.guard.check(basic("bob", "secret"))).user).toBe("bob");
});

test("too many at once are put off, before bcrypt has worked for them", async () => {
  await using world = await guarded(`ann:${ANN}`);
  const putOff = Promise.withResolvers<void>();
  let checked = 0;
  const guard = await HtpasswdGuard.open({
    path: world.path,
    realm: "team",
    verify: async () => {
      checked++;
      await putOff.promise;
      return false;
    },
  });
  let late = 0;
  const tries = Array.from({ length: 150 }, async (_, index) => {
    const { status } = await refusal(guard.check(basic("ann", `${index}`)));
    if (status === 429 && ++late === 50) putOff.resolve();
    return status;
  });
  const statuses = await Promise.all(tries);
  expect([late, checked]).toEqual([50, 100]);
  expect(statuses.filter((status) => status === 401).length).toBe(100);
});

for (const [name, line] of [
  ["MD5", "ann:$apr1$x$y"],
  ["plain text", "ann:secret"],
  ["no colon", "ann"],
  ["no name", `:${ANN}`],
] as const) {
  test(`an entry that is ${name} is refused by its line`, () => {
    expect(() => parseHtpasswd(`bob:${ANN}\n${line}`)).toThrow(/line 2/);
  });
}

test("a file that is not there is named", async () => {
  const opened = HtpasswdGuard.open({ path: "/nowhere/users", realm: "x", verify: async () => true });
  await expect(opened).rejects.toThrow(EngineError);
  await expect(opened).rejects.toThrow("/nowhere/users");
});
