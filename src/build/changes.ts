import { EngineError } from "#base/errors.ts";
import type { ImageExecutionConfig } from "#oci/image-config.ts";
import { hostPlatform } from "#oci/platform.ts";
import { INSTRUCTION_KINDS, type InstructionKind } from "./dockerfile/instruction.ts";
import { parseDockerfile, parseInstruction } from "./dockerfile/parse.ts";
import { BuildArgs } from "./graph/build-args.ts";
import { buildGraph } from "./graph/build-graph.ts";
import { EMPTY_FILE_SYSTEM } from "./graph/file-system.ts";
import type { GraphOptions } from "./graph/sources.ts";

/** Instructions that need no files: the others have no place in a change. [moby builder/dockerfile] */
const ALLOWED: ReadonlySet<InstructionKind> = new Set(
  INSTRUCTION_KINDS.filter(
    (kind) => !["FROM", "RUN", "COPY", "ADD", "ARG", "SHELL", "MAINTAINER"].includes(kind),
  ),
);

/**
 * The configuration after some Dockerfile instructions, as `import --change` and `commit --change` mean them.
 *
 * @throws {EngineError} invalid, pointing at the instruction
 */
export async function applyChanges(
  config: ImageExecutionConfig,
  changes: readonly string[],
): Promise<ImageExecutionConfig> {
  if (changes.length === 0) return config;
  for (const change of changes) {
    const { kind } = parseInstruction(change, "the change");
    if (!ALLOWED.has(kind)) throw new EngineError("invalid", `${kind} is not a valid change command`);
  }
  // what the configuration has for others to run is not run now
  const { onBuild = [], ...base } = config;
  const { result } = await buildGraph(
    parseDockerfile(["FROM base", ...changes].join("\n"), "changes"),
    options(),
    {
      image: async () => ({
        fileSystem: EMPTY_FILE_SYSTEM,
        config: { platform: hostPlatform(), config: base, diffIds: [], history: [] },
      }),
      contextDigest: () => {
        throw new Error("no change reads a context");
      },
    },
  );
  const triggers = [...onBuild, ...(result.config.onBuild ?? [])];
  return { ...result.config, ...(triggers.length > 0 && { onBuild: triggers }) };
}

function options(): GraphOptions {
  return {
    buildArgs: new BuildArgs(new Map()),
    labels: new Map(),
    platform: hostPlatform(),
    buildPlatform: hostPlatform(),
    network: { kind: "none" },
    extraHosts: [],
    resources: {},
    rlimits: [],
    project: "changes",
  };
}
