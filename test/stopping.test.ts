import { spawn } from "node:child_process";
import { expect, test } from "bun:test";
import { DARSE, TestEngine } from "./engine.ts";

test("an engine that is told to stop ends at once, whatever runs and whoever listens", async () => {
  await using engine = await TestEngine.start();
  await engine.darse(["run", "-d", "-i", "--name", "lives", "--health-cmd", "true", "busybox", "cat"]);
  const listeners = [
    ["logs", "-f", "lives"],
    ["attach", "lives"],
    ["exec", "lives", "sleep", "600"],
    ["events"],
  ];
  const clients = listeners.map((args) =>
    spawn(DARSE, args, { env: { DOCKER_HOST: `unix://${engine.socket}` }, stdio: "ignore" }),
  );
  const listens = async (): Promise<boolean> => {
    const { body } = await engine.api("GET", "/containers/lives/json");
    return ((body as { ExecIDs: string[] | null }).ExecIDs ?? []).length > 0;
  };
  for (let left = 400; left > 0 && !(await listens()); left--) await Bun.sleep(10);
  await engine.stopDaemon("SIGTERM");
  for (const client of clients) client.kill("SIGKILL");
  await engine.startDaemon();
  const state = await engine.darse(["inspect", "-f", "{{.State.Running}}", "lives"]);
  expect(state.stdout).toBe("true\n");
}, 30_000);
