import type { RealEngine } from "./real-rooms.ts";
import { createRequest } from "./requests.ts";

const NEVER = new AbortController().signal;

/** Creates, starts and waits; with what the container wrote. */
export async function runToEnd(
  { containers }: RealEngine,
  config: Readonly<Record<string, unknown>>,
  host: Readonly<Record<string, unknown>> = {},
): Promise<{ exitCode: number; output: string; id: string }> {
  const { id } = await containers.create(createRequest(config, host), NEVER);
  const over = containers.wait(id, "next-exit", NEVER);
  await containers.start(id);
  const { exitCode } = await over;
  return { exitCode, output: await logOf(containers, id), id };
}

/** All that a container has written so far. */
export async function logOf(containers: RealEngine["containers"], id: string): Promise<string> {
  let text = "";
  for await (const pieces of containers.logs(id, { stdout: true, stderr: true, follows: false }, NEVER)) {
    text += pieces.map(({ data }) => Buffer.from(data).toString()).join("");
  }
  return text;
}

/** Runs a further process to its end. */
export async function execute(
  containers: RealEngine["containers"],
  reference: string,
  command: string[],
): Promise<{ exitCode: number; output: string }> {
  const exec = containers.execs.create(reference, {
    command,
    env: [],
    user: undefined,
    workingDir: undefined,
    tty: false,
    isPrivileged: false,
    attachStdin: false,
    attachStdout: true,
    attachStderr: true,
    detachKeys: undefined,
    consoleSize: undefined,
  });
  const running = await containers.execs.start(exec.id, { detach: false });
  let output = "";
  if (running.attachment) {
    for await (const { data } of running.attachment.output) output += Buffer.from(data).toString();
    await running.attachment[Symbol.asyncDispose]();
  }
  return { exitCode: await running.exited, output };
}
