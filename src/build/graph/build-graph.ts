import { EngineError } from "#base/errors.ts";
import { nearMatch } from "#base/near-match.ts";
import { parsePlatform, type Platform } from "#oci/platform.ts";
import { ExpansionError, expand } from "../dockerfile/expand.ts";
import type { Word } from "../dockerfile/instruction.ts";
import type { Dockerfile } from "../dockerfile/parse.ts";
import { parseInstruction } from "../dockerfile/parse.ts";
import { errorAt, type Source } from "../dockerfile/source.ts";
import { findStage, type Stage, type Stages, splitStages, targetStage } from "../dockerfile/stages.ts";
import { platformArgs } from "./build-args.ts";
import { DEFAULT_PATH, Environment } from "./environment.ts";
import { EMPTY_FILE_SYSTEM } from "./file-system.ts";
import type { BaseImage, GraphOptions, GraphSources } from "./sources.ts";
import { StageBuilder, type StageContext, type StageStart } from "./stage-builder.ts";
import type { StageResult, Step } from "./stage-result.ts";
import { makeVertex, type Vertex } from "./vertex.ts";

/** What is to be done for one target. */
export interface BuildGraph {
  /** The target's stage. */
  readonly result: StageResult;
  /** Every instruction of every stage that the target needs, in the order of the file. */
  readonly steps: readonly Step[];
  readonly warnings: readonly string[];
}

/**
 * Turns a syntax tree into the graph of what the target needs. Stages it does not need are not looked at, so that their
 * base images are not fetched.
 *
 * @throws {EngineError} invalid, pointing into the Dockerfile; what `sources` throw
 */
export async function buildGraph(
  dockerfile: Dockerfile,
  options: GraphOptions,
  sources: GraphSources,
): Promise<BuildGraph> {
  const stages = splitStages(dockerfile);
  const target = targetStage(stages, options.target);
  const builder = new GraphBuilder(dockerfile, stages, { options, sources, target });
  const result = withLabels(await builder.stage(target), options.labels);
  const unused = options.buildArgs.unused();
  const consumed =
    unused.length === 0 ? [] : [`One or more build-args [${unused.join(" ")}] were not consumed`];
  return {
    result,
    steps: builder.steps(),
    warnings: [...dockerfile.warnings, ...builder.warnings(), ...consumed],
  };
}

interface GraphInput {
  readonly options: GraphOptions;
  readonly sources: GraphSources;
  readonly target: Stage;
}

class GraphBuilder {
  readonly #dockerfile: Dockerfile;
  readonly #stages: Stages;
  readonly #options: GraphOptions;
  readonly #sources: GraphSources;
  readonly #globals: ReadonlyMap<string, string>;
  readonly #results = new Map<number, Promise<StageResult>>();
  readonly #images = new Map<string, Promise<BaseImage>>();
  readonly #finished = new Map<number, StageResult>();

  constructor(dockerfile: Dockerfile, stages: Stages, { options, sources, target }: GraphInput) {
    this.#dockerfile = dockerfile;
    this.#stages = stages;
    this.#options = options;
    this.#sources = sources;
    this.#globals = this.#globalArgs(target.name ?? "default");
  }

  steps(): Step[] {
    return this.#inOrder().flatMap(({ steps }) => steps);
  }

  warnings(): string[] {
    return this.#inOrder().flatMap(({ warnings }) => warnings);
  }

  #inOrder(): StageResult[] {
    return [...this.#finished].toSorted(([a], [b]) => a - b).map(([, result]) => result);
  }

  async stage(stage: Stage): Promise<StageResult> {
    let result = this.#results.get(stage.index);
    if (result === undefined) {
      result = this.#build(stage);
      this.#results.set(stage.index, result);
    }
    return await result;
  }

  async #build(stage: Stage): Promise<StageResult> {
    this.#beginEarly(stage);
    const scope = { source: this.#dockerfile.source, escape: this.#dockerfile.directives.escape };
    const start = await this.#start(stage);
    const context: StageContext = {
      options: this.#options,
      sources: this.#sources,
      globals: this.#globals,
      from: (name, source) => this.#from(name, source, stage),
    };
    const { onBuild = [], ...config } = start.config;
    const builder = new StageBuilder(context, { ...start, config }, scope);
    for (const text of onBuild) {
      const name = `ONBUILD of ${stage.from.image.text}`;
      const trigger = parseInstruction(text, name);
      if (trigger.kind === "FROM") {
        throw new EngineError("invalid", `Cannot run ${name}: FROM is no trigger`);
      }
      await builder.trigger(trigger, { source: { name, lines: text.split("\n") }, escape: "\\" });
    }
    for (const instruction of stage.instructions) await builder.apply(instruction);
    const result = builder.result();
    this.#finished.set(stage.index, result);
    return result;
  }

  /** Stages that this one copies from are begun beside it, so that their images are fetched side by side. */
  #beginEarly(stage: Stage): void {
    for (const instruction of stage.instructions) {
      if (instruction.kind !== "COPY" && instruction.kind !== "ADD") continue;
      const earlier = instruction.from && this.#earlierStage(instruction.from.text, stage);
      // whoever needs the stage awaits it again and sees what went wrong
      if (earlier) void this.stage(earlier).catch(() => undefined);
    }
  }

  async #start(stage: Stage): Promise<StageStart> {
    const { from } = stage;
    const name = this.#expandGlobal(from.image);
    if (name === "") {
      throw errorAt(
        this.#dockerfile.source,
        from.image.range,
        `base name (${from.image.text}) should not be blank`,
      );
    }
    const label = stage.name ?? String(stage.index);
    const base = findStage(this.#stages.stages.slice(0, stage.index), name);
    if (base !== undefined) {
      const result = await this.stage(base);
      return { ...result, text: from.text, label, history: result.history };
    }
    const platform = this.#platform(stage);
    if (name === "scratch") return { ...scratch(platform, this.#baseSlot(label)), text: from.text, label };
    const image = await this.#image(name, from.image, { platform, source: this.#dockerfile.source });
    return {
      ...imageStart(image, { platform, title: from.text, slot: this.#baseSlot(label) }),
      text: from.text,
      label,
    };
  }

  #baseSlot(label: string): string {
    return `${this.#options.project}/${label}/0`;
  }

  #platform({ from }: Stage): Platform {
    if (from.platform === undefined) return this.#options.platform;
    const text = this.#expandGlobal(from.platform);
    try {
      return parsePlatform(text);
    } catch (error) {
      if (!EngineError.is(error)) throw error;
      throw errorAt(this.#dockerfile.source, from.platform.range, error.message);
    }
  }

  async #from(name: Word, source: Source, stage: Stage): Promise<Vertex> {
    const earlier = this.#earlierStage(name.text, stage);
    if (earlier !== undefined) return (await this.stage(earlier)).vertex;
    if (/^\d+$/.test(name.text)) {
      throw errorAt(
        source,
        name.range,
        `invalid stage index ${name.text}: only stages before this one have files to copy`,
      );
    }
    if (name.text.toLowerCase() === stage.name) {
      throw errorAt(source, name.range, `circular dependency: stage "${name.text}" cannot copy from itself`);
    }
    const platform = this.#options.platform;
    const image = await this.#image(name.text, name, { platform, source });
    return imageStart(image, { platform, title: name.text, slot: this.#baseSlot(name.text) }).vertex;
  }

  #earlierStage(name: string, { index }: Stage): Stage | undefined {
    const earlier = this.#stages.stages.slice(0, index);
    return findStage(earlier, name) ?? (/^\d+$/.test(name) ? earlier[Number(name)] : undefined);
  }

  async #image(
    reference: string,
    word: Word,
    { platform, source }: { readonly platform: Platform; readonly source: Source },
  ): Promise<BaseImage> {
    const key = JSON.stringify([reference, platform]);
    let image = this.#images.get(key);
    if (image === undefined) {
      image = this.#sources.image(reference, platform);
      this.#images.set(key, image);
    }
    try {
      return await image;
    } catch (error) {
      if (!EngineError.is(error) || error.kind === "cancelled") throw error;
      const names = this.#stages.stages.flatMap(({ name }) => name ?? []);
      const near = nearMatch(reference, names);
      const hint = near === undefined ? error.hint : `did you mean the stage ${near}?`;
      const located = errorAt(source, word.range, error.message);
      throw new EngineError(error.kind, located.message, {
        cause: error,
        ...(hint !== undefined && { hint }),
      });
    }
  }

  #globalArgs(targetName: string): ReadonlyMap<string, string> {
    const { platform, buildPlatform, buildArgs } = this.#options;
    const values = platformArgs(platform, buildPlatform, targetName);
    for (const { args } of this.#stages.globals) {
      for (const { name, value } of args) {
        const given = buildArgs.use(name.text);
        const found = given ?? (value && this.#expandWith(value, values));
        if (found !== undefined) values.set(name.text, found);
      }
    }
    return values;
  }

  #expandGlobal(word: Word): string {
    return this.#expandWith(word, this.#globals);
  }

  #expandWith(word: Word, values: ReadonlyMap<string, string>): string {
    const { source, directives } = this.#dockerfile;
    try {
      return expand(word.text, directives.escape, (name) => values.get(name));
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      throw errorAt(source, word.range, `failed to process "${word.text.slice(0, 200)}": ${error.message}`);
    }
  }
}

function scratch(platform: Platform, slot: string): Omit<StageStart, "text" | "label"> {
  return {
    vertex: baseVertex({ fileSystem: EMPTY_FILE_SYSTEM }, "FROM scratch", slot),
    platform,
    config: { env: [`PATH=${DEFAULT_PATH}`], workingDir: "/" },
    history: [],
    args: new Map(),
  };
}

function imageStart(
  image: BaseImage,
  { platform, title, slot }: { readonly platform: Platform; readonly title: string; readonly slot: string },
): Omit<StageStart, "text" | "label"> {
  const { config, author, created, history } = image.config;
  const env = Environment.of(config.env ?? []);
  return {
    ...(image.id && { imageId: image.id }),
    vertex: baseVertex(image, title, slot),
    platform: image.config.platform.architecture === "" ? platform : image.config.platform,
    config: { ...config, env: (env.has("PATH") ? env : env.with([["PATH", DEFAULT_PATH]])).toPairs() },
    ...(author !== undefined && { author }),
    ...(created !== undefined && { created }),
    history: history.map((entry) => ({ kind: "inherited", entry })),
    args: new Map(),
  };
}

function baseVertex({ fileSystem }: Pick<BaseImage, "fileSystem">, title: string, slot: string): Vertex {
  return makeVertex({ operation: { kind: "base", fileSystem }, inputs: [], title, slot });
}

function withLabels(result: StageResult, labels: ReadonlyMap<string, string>): StageResult {
  if (labels.size === 0) return result;
  return {
    ...result,
    config: { ...result.config, labels: new Map([...(result.config.labels ?? []), ...labels]) },
  };
}
