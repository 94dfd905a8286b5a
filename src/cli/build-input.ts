import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { EngineError } from "#base/errors.ts";
import { IgnorePatterns, parseIgnoreFile } from "#base/ignore-patterns.ts";
import { type BuildContext, packContext, packFiles } from "./build-context.ts";

export interface BuildSources {
  /** `PATH | URL | -` */
  readonly context: string;
  /** `--file`; `-` is stdin. */
  readonly file: string | undefined;
  readonly workingDirectory: string;
  readonly input: AsyncIterable<Uint8Array>;
}

export interface BuildInput {
  /** The tar to send; `undefined` when the engine fetches `remote` itself. */
  readonly body: AsyncIterable<Uint8Array> | undefined;
  readonly remote: string | undefined;
  /** The Dockerfile's path in the context. */
  readonly dockerfile: string | undefined;
}

const IGNORE_FILE = ".dockerignore";
/** A Dockerfile on stdin is text of a person. */
const MAX_DOCKERFILE = 16 * 1024 * 1024;

/** Where a build's context and Dockerfile come from, made ready to send. @throws {EngineError} before anything is sent */
export async function prepareBuild(sources: BuildSources): Promise<BuildInput> {
  const { context, file } = sources;
  if (context === "-" && file === "-") {
    throw new EngineError(
      "invalid",
      "invalid argument: can't use stdin for both build context and dockerfile",
    );
  }
  if (context === "-") return await fromStdin(sources);
  if (/^(https?|git|ssh):\/\/|^git@|^github\.com\//.test(context)) {
    if (file === "-")
      throw new EngineError("unsupported", "Dockerfile from stdin is not supported for a remote context");
    return { body: undefined, remote: context, dockerfile: file };
  }
  return await fromFolder(sources);
}

/** An archive is sent on as it is; anything else is a Dockerfile, with no files beside it. */
async function fromStdin({ input, file }: BuildSources): Promise<BuildInput> {
  const chunks = input[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let size = 0;
  while (size < 512) {
    const next = await chunks.next();
    if (next.done) break;
    head.push(next.value);
    size += next.value.length;
  }
  const rest: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => chunks };
  const source = concat(head, rest);
  if (isArchive(Buffer.concat(head))) return { body: source, remote: undefined, dockerfile: file };
  const text = await readAll(source);
  if (text.length === 0) throw new EngineError("invalid", "Cannot build from stdin: it is empty");
  return { body: packFiles(new Map([["Dockerfile", text]])), remote: undefined, dockerfile: "Dockerfile" };
}

async function fromFolder(sources: BuildSources): Promise<BuildInput> {
  const given = resolve(sources.workingDirectory, sources.context);
  if (!existsSync(given)) {
    throw new EngineError("not-found", `unable to prepare context: path "${sources.context}" not found`);
  }
  const folder = realpathSync(given);
  if (!statSync(folder).isDirectory()) {
    throw new EngineError("invalid", `unable to prepare context: context must be a directory: ${given}`);
  }
  const { name, content } = await findDockerfile(sources, folder);
  const own = `${name}${IGNORE_FILE}`;
  const ignoreFile = [own, IGNORE_FILE].find((path) => existsSync(join(folder, path)));
  const patterns =
    ignoreFile === undefined ? [] : parseIgnoreFile(readFileSync(join(folder, ignoreFile), "utf8"));
  const context: BuildContext = {
    folder,
    ignore: new IgnorePatterns(patterns),
    always: new Set(content ? [IGNORE_FILE] : [name, IGNORE_FILE]),
    extra: content ? new Map([[name, content]]) : new Map(),
  };
  return { body: packContext(context), remote: undefined, dockerfile: name };
}

/** Its path in the context; with `content` when it has none there and has to be added under a name of its own. */
async function findDockerfile(
  { file, workingDirectory, input }: BuildSources,
  folder: string,
): Promise<{ readonly name: string; readonly content?: Uint8Array }> {
  const madeUp = (): string => `.dockerfile.${randomBytes(10).toString("hex")}`;
  if (file === "-") return { name: madeUp(), content: await readAll(input) };
  const wanted = file === undefined ? join(folder, "Dockerfile") : resolve(workingDirectory, file);
  const lowerCase = join(folder, "dockerfile");
  const path = file === undefined && !existsSync(wanted) && existsSync(lowerCase) ? lowerCase : wanted;
  if (!existsSync(path)) {
    throw new EngineError(
      "not-found",
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
      { hint: "Name the Dockerfile by -f PATH" },
    );
  }
  const name = relative(folder, realpathSync(path));
  if (name.startsWith("../")) return { name: madeUp(), content: readFileSync(path) };
  return { name: relative(folder, path).startsWith("../") ? name : relative(folder, path) };
}

/** tar by its magic, or one of the compressions that tars come in. */
function isArchive(head: Uint8Array): boolean {
  const magics: readonly (readonly number[])[] = [
    [0x1f, 0x8b, 0x08],
    [0x42, 0x5a, 0x68],
    [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
    [0x28, 0xb5, 0x2f, 0xfd],
  ];
  if (magics.some((magic) => magic.every((byte, i) => head[i] === byte))) return true;
  return head.length >= 512 && Buffer.from(head.subarray(257, 262)).toString("latin1") === "ustar";
}

async function* concat(
  head: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  yield* head;
  yield* rest;
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > MAX_DOCKERFILE)
      throw new EngineError("invalid", `Cannot read a Dockerfile of more than ${MAX_DOCKERFILE} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
