import { EngineError } from "#base/errors.ts";
import type { ImageExecutionConfig } from "#oci/image-config.ts";
import type { Digest } from "#oci/digest.ts";
import type { Platform } from "#oci/platform.ts";
import { ExpansionError, expand, expandWords } from "../dockerfile/expand.ts";
import type { StageInstruction, Word } from "../dockerfile/instruction.ts";
import { errorAt, type Range, type Source } from "../dockerfile/source.ts";
import { applyConfigInstruction } from "./config-instructions.ts";
import { copyStep } from "./copy-step.ts";
import { Environment } from "./environment.ts";
import { runStep } from "./run-step.ts";
import type { GraphOptions, GraphSources } from "./sources.ts";
import type { HistoryItem, StageResult, Step } from "./stage-result.ts";
import { makeVertex, type Operation, type Vertex } from "./vertex.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a stage may ask of the build around it. */
export interface StageContext {
  readonly options: GraphOptions;
  readonly sources: GraphSources;
  /** Arguments before the first FROM and those of the platform. */
  readonly globals: ReadonlyMap<string, string>;
  /** The files that `--from` names: an earlier stage by name or number, or an image. */
  from(name: Word, source: Source): Promise<Vertex>;
}

export interface StageStart {
  readonly vertex: Vertex;
  readonly platform: Platform;
  readonly config: ImageExecutionConfig;
  readonly author?: string;
  readonly created?: string;
  readonly history: readonly HistoryItem[];
  readonly args: ReadonlyMap<string, string | undefined>;
  /** `FROM …`, for the steps. */
  readonly text: string;
  readonly imageId?: Digest;
  /** Name or number, for slots. */
  readonly label: string;
}

/** Where an instruction was read: errors point there. */
export interface Scope {
  readonly source: Source;
  readonly escape: string;
}

/** A stage while its instructions are applied, one after another: configuration, environment, files so far. */
export class StageBuilder {
  readonly context: StageContext;
  readonly config: Mutable<ImageExecutionConfig>;
  readonly args: Map<string, string | undefined>;
  env: Environment;
  author: string | undefined;
  /** CMD was given in this stage, so that ENTRYPOINT keeps it. */
  hasCommand = false;
  scope: Scope;
  readonly platform: Platform;
  readonly #start: StageStart;
  readonly #history: HistoryItem[];
  readonly #steps: Step[];
  readonly #warnings: string[] = [];
  #vertex: Vertex;

  constructor(context: StageContext, start: StageStart, scope: Scope) {
    this.context = context;
    this.#start = start;
    this.scope = scope;
    this.platform = start.platform;
    this.config = { ...start.config };
    this.env = Environment.of(start.config.env ?? []);
    this.args = new Map(start.args);
    this.author = start.author;
    this.#vertex = start.vertex;
    this.#history = [...start.history];
    const { text, vertex, imageId } = start;
    this.#steps = [{ text, vertex, ...(imageId && { imageId }) }];
  }

  /** The files as they are after the instructions so far. */
  get vertex(): Vertex {
    return this.#vertex;
  }

  /** Absolute. */
  get cwd(): string {
    return this.config.workingDir || "/";
  }

  /** @throws {EngineError} invalid, pointing at the word at fault */
  async apply(instruction: StageInstruction): Promise<void> {
    const before = this.#history.length;
    switch (instruction.kind) {
      case "RUN":
        await runStep(this, instruction);
        break;
      case "COPY":
      case "ADD":
        await copyStep(this, instruction);
        break;
      default:
        applyConfigInstruction(this, instruction);
    }
    const added = this.#history.slice(before).find((item) => item.kind === "layer");
    this.#steps.push({ text: instruction.text, ...(added?.kind === "layer" && { vertex: added.vertex }) });
  }

  /** Runs what the base image left for those who build on it. */
  async trigger(instruction: StageInstruction, scope: Scope): Promise<void> {
    const own = this.scope;
    this.scope = scope;
    await this.apply(instruction);
    this.scope = own;
  }

  /** Notes an instruction that changes no files. */
  note(createdBy: string): void {
    this.#history.push({ kind: "metadata", createdBy });
  }

  warn(range: Range, message: string): void {
    this.#warnings.push(`${message} (${this.scope.source.name} line ${range.start.line})`);
  }

  /** Puts `operation` on top of the files. `others` follow the files among the vertex's inputs. */
  work(operation: Operation, others: readonly Vertex[], text: { createdBy: string; title: string }): void {
    const slot = `${this.context.options.project}/${this.#start.label}/${this.#steps.length}`;
    const inputs = [this.#vertex, ...others];
    this.#vertex = makeVertex({ operation, inputs, title: text.title, slot });
    this.#history.push({ kind: "layer", createdBy: text.createdBy, vertex: this.#vertex });
  }

  lookup = (name: string): string | undefined => this.env.find(name) ?? this.args.get(name);

  expand(word: Word): string {
    return this.#expanding(word, () => expand(word.text, this.scope.escape, this.lookup));
  }

  expandWords(word: Word): string[] {
    return this.#expanding(word, () => expandWords(word.text, this.scope.escape, this.lookup));
  }

  fail(range: Range, message: string, hint?: string): EngineError {
    return errorAt(this.scope.source, range, message, hint === undefined ? {} : { hint });
  }

  result(): StageResult {
    const { created } = this.#start;
    return {
      vertex: this.#vertex,
      platform: this.platform,
      config: { ...this.config, env: this.env.toPairs() },
      ...(this.author !== undefined && { author: this.author }),
      ...(created !== undefined && { created }),
      history: this.#history,
      steps: this.#steps,
      warnings: this.#warnings,
      args: this.args,
    };
  }

  #expanding<T>(word: Word, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      const shown = word.text.length > 200 ? `${word.text.slice(0, 200)}…` : word.text;
      throw errorAt(this.scope.source, word.range, `failed to process "${shown}": ${error.message}`, {
        cause: error,
      });
    }
  }
}
