import { join } from "node:path";
import { expect, test } from "bun:test";
import { run } from "./process.ts";

const MODULE = join(import.meta.dir, "replace-process.ts");

async function becoming(command: readonly string[], env: Record<string, string>): Promise<string[]> {
  const source = `import { replaceProcess } from ${JSON.stringify(MODULE)};
    await Bun.write(Bun.stdout, String(process.pid) + "\\n");
    try { replaceProcess(${JSON.stringify(command)}, ${JSON.stringify(env)}); } catch (error) { console.log(error.code); }`;
  const { stdout } = await run([process.execPath, "-e", source]);
  return new TextDecoder().decode(stdout).trim().split("\n");
}

test("another program goes on as the same process, with the environment it was given and no other", async () => {
  const [before, after, ...env] = await becoming(["/bin/sh", "-c", "echo $$; exec env"], { A: "b c", E: "" });
  expect(after).toBe(before ?? "");
  expect(env.filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line)).toSorted()).toEqual(["A=b c", "E="]);
});

test("a program that is not there leaves the process as it is, and says so", async () => {
  expect(await becoming(["/nowhere/program"], {})).toEqual([expect.stringMatching(/^\d+$/), "ENOENT"]);
});
