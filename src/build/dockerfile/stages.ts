import { EngineError } from "#base/errors.ts";
import { nearMatch } from "#base/near-match.ts";
import type { ArgInstruction, FromInstruction, StageInstruction } from "./instruction.ts";
import type { Dockerfile } from "./parse.ts";

/** One FROM and what follows it. */
export interface Stage {
  readonly index: number;
  readonly name?: string;
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

/** A Dockerfile divided at its FROM lines. */
export interface Stages {
  /** ARGs before the first FROM. */
  readonly globals: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}

export function splitStages(dockerfile: Dockerfile): Stages {
  const globals: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = [];
  for (const instruction of dockerfile.instructions) {
    const stage = stages.at(-1);
    if (instruction.kind === "FROM") stages.push({ from: instruction, instructions: [] });
    else if (stage !== undefined) stage.instructions.push(instruction);
    else if (instruction.kind === "ARG") globals.push(instruction);
  }
  return {
    globals,
    stages: stages.map(({ from, instructions }, index) => ({
      index,
      from,
      instructions,
      ...(from.name && { name: from.name.text }),
    })),
  };
}

/**
 * The stage that `target` names, or numbers from zero; the last one when there is no target.
 *
 * @throws {EngineError} invalid, in Docker's words
 */
export function targetStage({ stages }: Stages, target: string | undefined): Stage {
  const found =
    target === undefined || target === ""
      ? stages.at(-1)
      : (findStage(stages, target) ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined));
  if (found !== undefined) return found;
  const near = nearMatch(
    target ?? "",
    stages.flatMap(({ name }) => name ?? []),
  );
  const guess = near === undefined ? "" : ` (did you mean ${near}?)`;
  throw new EngineError("invalid", `failed to reach build target ${target} in Dockerfile${guess}`);
}

/** The last of `stages` that bears `name`; names are compared without regard to case. */
export function findStage(stages: readonly Stage[], name: string): Stage | undefined {
  const folded = name.toLowerCase();
  return stages.findLast((stage) => stage.name === folded);
}
