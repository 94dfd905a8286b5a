import { formatPlatform } from "#oci/platform.ts";
import type { Command, MountFlag, RunInstruction, Word } from "../dockerfile/instruction.ts";
import { heredocText } from "../dockerfile/statement.ts";
import { shellOf } from "./config-instructions.ts";
import { DEFAULT_PATH } from "./environment.ts";
import { runText } from "./history-text.ts";
import { MountError, type MountRequest, readMount } from "./mounts.ts";
import type { RunOperation, StepMount, StepNetwork } from "./run-operation.ts";
import type { StageBuilder } from "./stage-builder.ts";
import { EMPTY_FILE_SYSTEM } from "./file-system.ts";
import { makeVertex, type Vertex } from "./vertex.ts";

/** Docker's name for the machine that steps run on. */
const HOSTNAME = "buildkitsandbox";

/** Where a script with an interpreter of its own is put, as BuildKit does. */
const SCRIPT_FOLDER = "/dev/pipes";

/** RUN. */
export async function runStep(stage: StageBuilder, instruction: RunInstruction): Promise<void> {
  refuseUnsupported(stage, instruction);
  const { options } = stage.context;
  const { args, script } = commandLine(stage, instruction.command);
  const inputs: Vertex[] = [];
  const mounts: StepMount[] = [];
  for (const flag of instruction.mounts) {
    const mount = await stepMount(stage, flag, inputs);
    if (mount !== undefined) mounts.push(mount);
  }
  const operation: RunOperation = {
    kind: "run",
    args,
    ...(script && { script }),
    env: environment(stage),
    proxyEnv: options.buildArgs.proxies(),
    cwd: stage.cwd,
    user: stage.config.user ?? "",
    network: network(stage, instruction.network),
    mounts,
    hostname: options.buildArgs.use("BUILDKIT_SANDBOX_HOSTNAME") ?? HOSTNAME,
    extraHosts: options.extraHosts,
    resources: options.resources,
    rlimits: options.rlimits,
    ...(options.shmBytes !== undefined && { shmBytes: options.shmBytes }),
    ...(options.cgroupParent !== undefined && { cgroupParent: options.cgroupParent }),
    platform: formatPlatform(stage.platform),
  };
  const inScope = new Map(
    [...stage.args].map(([name, value]) => [name, stage.env.find(name) ?? value ?? ""]),
  );
  stage.work(operation, inputs, { createdBy: runText(args, inScope), title: instruction.text });
}

/** ENV first; an argument that has a value and no ENV of its name is there too. */
function environment(stage: StageBuilder): string[] {
  const extra = [...stage.args].flatMap(([name, value]): [string, string][] =>
    value === undefined || stage.env.has(name) ? [] : [[name, value]],
  );
  const env = stage.env.with(extra);
  return (env.has("PATH") ? env : env.with([["PATH", DEFAULT_PATH]])).toPairs();
}

function commandLine(
  stage: StageBuilder,
  command: Command,
): { args: readonly string[]; script?: { path: string; text: string } } {
  if (command.form === "exec") return { args: command.args };
  const [only, ...more] = command.heredocs;
  if (only === undefined) return { args: [...shellOf(stage), command.text] };
  if (more.length === 0 && /^\d*<<-?\S+$/.test(command.text)) {
    const text = heredocText(only);
    if (!text.startsWith("#!")) return { args: [...shellOf(stage), text] };
    const path = `${SCRIPT_FOLDER}/${only.name.replaceAll("/", "_")}`;
    return { args: [path], script: { path, text } };
  }
  const bodies = command.heredocs.map(({ name, body }) => `\n${body}${name}`).join("");
  return { args: [...shellOf(stage), `${command.text}${bodies}`] };
}

function network(stage: StageBuilder, word: Word | undefined): StepNetwork {
  const { network: byDefault } = stage.context.options;
  if (word === undefined) return byDefault;
  const value = stage.expand(word);
  switch (value) {
    case "default":
      return byDefault;
    case "none":
      return { kind: "none" };
    case "host":
      if (byDefault.kind === "host") return byDefault;
      throw stage.fail(
        word.range,
        "RUN --network=host is not granted: the one who builds has to allow it",
        "build with --network host",
      );
    default:
      throw stage.fail(word.range, `invalid network mode "${value}": it is one of default, none, host`);
  }
}

/** Privileges that nobody granted are refused by name (and never silently left out). */
function refuseUnsupported(stage: StageBuilder, { security, devices }: RunInstruction): void {
  if (security !== undefined) {
    const value = stage.expand(security);
    if (value === "insecure") {
      throw stage.fail(
        security.range,
        "RUN --security=insecure is not granted: no build may run without confinement",
      );
    }
    if (value !== "sandbox") {
      throw stage.fail(security.range, `invalid security mode "${value}": it is one of sandbox, insecure`);
    }
  }
  const [device] = devices;
  if (device !== undefined) {
    throw stage.fail(device.range, "RUN --device is not granted: no device is given to builds");
  }
}

async function stepMount(
  stage: StageBuilder,
  flag: MountFlag,
  inputs: Vertex[],
): Promise<StepMount | undefined> {
  const request = readRequest(stage, flag);
  const input = (vertex: Vertex): number => inputs.push(vertex);
  switch (request.type) {
    case "tmpfs":
      return request;
    case "secret":
    case "ssh":
      if (!request.isRequired) return undefined;
      throw stage.fail(
        flag.range,
        `the ${request.type} "${request.id}" is required, but the client of this build gave none`,
      );
    case "bind": {
      const { type, target, source, isReadOnly } = request;
      const vertex =
        request.from === undefined ? contextVertex(stage) : await fromVertex(stage, flag, request.from);
      return { type, target, source, isReadOnly, input: input(vertex) };
    }
    case "cache": {
      const { from, source, ...cache } = request;
      const id = `${stage.context.options.buildArgs.use("BUILDKIT_CACHE_MOUNT_NS") ?? ""}${cache.id}`;
      if (from === undefined) return { ...cache, id };
      const seed = { input: input(await fromVertex(stage, flag, from)), source };
      return { ...cache, id, seed };
    }
  }
}

function readRequest(stage: StageBuilder, flag: MountFlag): MountRequest {
  try {
    return readMount(flag, {
      cwd: stage.cwd,
      expand: (text) => stage.expand({ text, range: flag.range }),
    });
  } catch (error) {
    if (error instanceof MountError) throw stage.fail(flag.range, error.message);
    throw error;
  }
}

async function fromVertex(stage: StageBuilder, flag: MountFlag, from: string): Promise<Vertex> {
  return await stage.context.from({ text: from, range: flag.range }, stage.scope.source);
}

/** The whole context as a file system of its own. */
function contextVertex(stage: StageBuilder): Vertex {
  const { sources, options } = stage.context;
  const { digest: content } = sources.contextDigest({ path: ".", excludes: [], keepsParents: false });
  const empty = makeVertex({
    operation: { kind: "base", fileSystem: EMPTY_FILE_SYSTEM },
    inputs: [],
    title: "an empty file system",
    slot: `${options.project}/context/0`,
  });
  return makeVertex({
    operation: {
      kind: "copy",
      sources: [{ from: "context", path: ".", content, isEmpty: false }],
      destination: "/",
      excludes: [],
      keepsParents: false,
      unpack: "never",
    },
    inputs: [empty],
    title: "the build context",
    slot: `${options.project}/context/1`,
  });
}
