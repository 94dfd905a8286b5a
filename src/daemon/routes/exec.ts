import type { ExecInspect } from "#api/exec.ts";
import { Fields } from "#base/decode.ts";
import { EngineError, errorMessage } from "#base/errors.ts";
import { parseDetachKeys } from "#container/detach-keys.ts";
import type { Exec, ExecRequest, Execs } from "#container/execs.ts";
import { runSession } from "#container/stream-session.ts";
import { HIJACKED, json, type Reply, type Route, type RouteRequest } from "../http/route.ts";
import { terminalSize } from "./containers.ts";
import { clientStreams } from "./containers-streams.ts";

/** The routes of Engine API group Exec. */
export function execRoutes(execs: Execs): Route[] {
  return [
    {
      method: "POST",
      path: "/containers/{id}/exec",
      async handle(request) {
        const exec = execs.create(request.param("id"), decodeExecRequest(await request.json()));
        return json({ Id: exec.id }, 201);
      },
    },
    { method: "POST", path: "/exec/{id}/start", handle: (request) => start(execs, request) },
    {
      method: "POST",
      path: "/exec/{id}/resize",
      async handle({ param, query, signal }) {
        await execs.resize(param("id"), terminalSize(query), signal);
        return { kind: "empty", status: 200 };
      },
    },
    {
      method: "GET",
      path: "/exec/{id}/json",
      handle: async ({ param }) => await Promise.resolve(json(encodeExec(execs.get(param("id"))))),
    },
  ];
}

/** @throws {EngineError} invalid, naming the field */
export function decodeExecRequest(body: unknown): ExecRequest {
  const fields = new Fields(body);
  const detachKeys = fields.string("DetachKeys");
  parseDetachKeys(detachKeys);
  return {
    command: fields.strings("Cmd") ?? [],
    env: fields.strings("Env") ?? [],
    user: fields.string("User") || undefined,
    workingDir: fields.string("WorkingDir") || undefined,
    tty: fields.boolean("Tty") ?? false,
    isPrivileged: fields.boolean("Privileged") ?? false,
    attachStdin: fields.boolean("AttachStdin") ?? false,
    attachStdout: fields.boolean("AttachStdout") ?? false,
    attachStderr: fields.boolean("AttachStderr") ?? false,
    detachKeys: detachKeys || undefined,
    consoleSize: consoleSize(fields),
  };
}

/** Detached: answers when it runs. Else takes the connection over, like attach, and lets it go with the last byte. */
async function start(execs: Execs, request: RouteRequest): Promise<Reply> {
  const fields = new Fields(await request.json());
  const exec = execs.check(request.param("id"));
  const { tty } = exec.request;
  const size = consoleSize(fields);
  const options = { ...(size && { consoleSize: size }) };
  if (fields.boolean("Detach")) {
    await execs.start(exec.id, { ...options, detach: true });
    return { kind: "empty", status: 200 };
  }
  if (size && !tty) throw new EngineError("invalid", "console size is only supported when TTY is enabled");
  const connection = await request.hijack({ framed: !tty, commonHeaders: true });
  const client = clientStreams(connection, !tty);
  try {
    const running = await execs.start(exec.id, { ...options, detach: false });
    if (running.attachment === undefined) return HIJACKED;
    await using attachment = running.attachment;
    const end = await runSession(attachment, client, {
      stdin: exec.request.attachStdin,
      stdout: exec.request.attachStdout,
      stderr: exec.request.attachStderr,
      detachKeys: tty ? parseDetachKeys(exec.request.detachKeys) : undefined,
      closesStdin: true,
      signal: request.signal,
    });
    // Clients ask for the exit code as soon as the stream ends: it is known by then.
    if (end === "output-ended") await running.exited;
  } catch (error) {
    // The head has gone out: the reason is written where the output would be.
    const text = Buffer.from(`${errorMessage(error)}\r\n`);
    await client.write({ stream: "stdout", data: text }).catch(() => undefined);
  } finally {
    await connection.end().catch(() => undefined);
  }
  return HIJACKED;
}

function encodeExec({ id, containerId, request, state }: Exec): ExecInspect {
  const [entrypoint = "", ...args] = request.command;
  return {
    ID: id,
    Running: state.status === "running" || state.status === "starting",
    ExitCode: state.status === "exited" ? state.exitCode : null,
    ProcessConfig: {
      tty: request.tty,
      entrypoint,
      arguments: args,
      privileged: request.isPrivileged,
      ...(request.user !== undefined && { user: request.user }),
    },
    OpenStdin: request.attachStdin,
    OpenStderr: request.attachStderr,
    OpenStdout: request.attachStdout,
    CanRemove: state.status === "exited",
    ContainerID: containerId,
    DetachKeys: request.detachKeys ?? "",
    Pid: state.status === "running" ? state.pid : 0,
  };
}

function consoleSize(fields: Fields): { rows: number; columns: number } | undefined {
  const [rows = 0, columns = 0] =
    fields.list("ConsoleSize", (value) => (typeof value === "number" ? value : 0)) ?? [];
  return rows > 0 && columns > 0 ? { rows, columns } : undefined;
}
