import { posix } from "node:path";
import { EngineError } from "#base/errors.ts";
import { expand } from "../dockerfile/expand.ts";
import type { CopyInstruction, CopySource as SyntaxSource, Word } from "../dockerfile/instruction.ts";
import { heredocText } from "../dockerfile/statement.ts";
import { type CopyOperation, type CopySource, type ModeChange, parseModeChange } from "./copy-operation.ts";
import type { StageBuilder } from "./stage-builder.ts";
import type { Vertex } from "./vertex.ts";

const REMOTE = /^(?:https?|ftp|git|ssh):\/\/|^git@[^:/]+:/;

/** COPY and ADD. */
export async function copyStep(stage: StageBuilder, instruction: CopyInstruction): Promise<void> {
  const from = instruction.from && (await fromVertex(stage, instruction.from));
  const excludes = instruction.excludes.map((word) => stage.expand(word));
  const selection = { excludes, keepsParents: instruction.keepsParents };
  const sources = instruction.sources.map((source) =>
    copySource(stage, instruction, { source, from, selection }),
  );
  if (sources.every((source) => source.from === "context" && source.isEmpty)) {
    throw stage.fail(
      instruction.range,
      `${instruction.kind} failed: no source files were specified: no file matches`,
    );
  }
  const chown = instruction.chown && stage.expand(instruction.chown);
  const chmod = instruction.chmod && modeChange(stage, instruction.chmod);
  refuseRemoteOptions(stage, instruction);
  const operation: CopyOperation = {
    kind: "copy",
    sources,
    destination: destination(stage, instruction.destination),
    ...(chown !== undefined && { chown }),
    ...(chmod && { chmod }),
    ...selection,
    unpack: instruction.kind === "ADD" && instruction.unpack !== false ? "auto" : "never",
  };
  stage.work(operation, from ? [from] : [], {
    createdBy: historyText(instruction, sources, stage.expand(instruction.destination)),
    title: instruction.text,
  });
}

async function fromVertex(stage: StageBuilder, word: Word): Promise<Vertex> {
  if (word.text.includes("$")) {
    throw stage.fail(
      word.range,
      `'--from' does not support variable expansion`,
      "define a stage whose FROM uses the variable, and copy from that stage",
    );
  }
  return await stage.context.from(word, stage.scope.source);
}

function copySource(
  stage: StageBuilder,
  { kind }: CopyInstruction,
  options: {
    readonly source: SyntaxSource;
    readonly from: Vertex | undefined;
    readonly selection: { readonly excludes: readonly string[]; readonly keepsParents: boolean };
  },
): CopySource {
  const { source, from, selection } = options;
  if (source.kind === "heredoc") {
    const { heredoc } = source;
    const text = heredocText(heredoc);
    const word = { text: heredoc.name, range: heredoc.range };
    return {
      from: "text",
      name: heredoc.name,
      text: heredoc.isExpanded ? expandBody(stage, text, word) : text,
    };
  }
  const path = stage.expand(source.path);
  if (path === "") throw stage.fail(source.path.range, `${kind} names can not be blank`);
  if (REMOTE.test(path)) throw remote(stage, kind, { word: source.path, path });
  if (from !== undefined) return { from: "input", input: 1, path };
  try {
    const { digest, isEmpty } = stage.context.sources.contextDigest({ path, ...selection });
    return { from: "context", path, content: digest, isEmpty };
  } catch (error) {
    if (!EngineError.is(error)) throw error;
    throw stage.fail(source.path.range, error.message, error.hint);
  }
}

/** In a body only variables and the escape mean something; quotes are text. */
function expandBody(stage: StageBuilder, text: string, word: Word): string {
  const quoted = text.replace(/['"]/g, `${stage.scope.escape}$&`);
  return expandOrFail(() => expand(quoted, stage.scope.escape, stage.lookup), stage, word);
}

function expandOrFail(work: () => string, stage: StageBuilder, word: Word): string {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw stage.fail(word.range, `failed to process the inline file ${word.text}: ${error.message}`);
  }
}

function remote(
  stage: StageBuilder,
  kind: "COPY" | "ADD",
  { word, path }: { readonly word: Word; readonly path: string },
): Error {
  if (kind === "COPY") {
    return stage.fail(word.range, `source can't be a URL for COPY: ${path}`);
  }
  return stage.fail(
    word.range,
    `ADD does not fetch ${path}: this builder reads local sources only`,
    "put the file into the context, or fetch it in a RUN step",
  );
}

function refuseRemoteOptions(stage: StageBuilder, instruction: CopyInstruction): void {
  if (instruction.checksum !== undefined) {
    throw stage.fail(instruction.checksum.range, "checksum can't be specified for local sources");
  }
  if (instruction.keepsGitFolder) {
    throw stage.fail(instruction.range, "keep-git-dir can't be specified for local sources");
  }
}

function modeChange(stage: StageBuilder, word: Word): ModeChange {
  const text = stage.expand(word);
  const change = parseModeChange(text);
  if (change !== undefined) return change;
  throw stage.fail(
    word.range,
    `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777, or symbolic as in u=rwX,go=rX`,
  );
}

/** Absolute, with a slash at the end where the Dockerfile says that it is a directory. */
function destination(stage: StageBuilder, word: Word): string {
  const text = stage.expand(word);
  const path = posix.resolve(stage.cwd, text);
  const isDirectory = text === "" || text === "." || text.endsWith("/") || text.endsWith("/.");
  return isDirectory && path !== "/" ? `${path}/` : path;
}

function historyText(
  { kind, chown, chmod, from, isLink }: CopyInstruction,
  sources: readonly CopySource[],
  target: string,
): string {
  const flags = [
    ...(from ? [`--from=${from.text}`] : []),
    ...(chown ? [`--chown=${chown.text}`] : []),
    ...(chmod ? [`--chmod=${chmod.text}`] : []),
    ...(isLink ? ["--link"] : []),
  ];
  const names = sources.map((source) => (source.from === "text" ? `<<${source.name}` : source.path));
  return [kind, ...flags, ...names, target, "# buildkit"].join(" ");
}
