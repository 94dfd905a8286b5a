import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import type { ContainerCreateRequest } from "#api/containers.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import type { Context } from "./context.ts";
import { pullImage } from "./pull-image.ts";

export interface CreateOptions {
  readonly request: ContainerCreateRequest;
  readonly image: string;
  readonly name: string | undefined;
  readonly platform: string | undefined;
  /** always, missing or never. */
  readonly pull: string;
  readonly isQuiet: boolean;
  readonly cidFile: string | undefined;
}

/** Creates a container, pulling its image first where `pull` says so; returns its id. */
export async function createContainer(context: Context, options: CreateOptions): Promise<string> {
  if (!["always", "missing", "never", ""].includes(options.pull)) {
    throw new EngineError(
      "invalid",
      `invalid pull option: '${options.pull}': must be one of "always", "missing" or "never"`,
    );
  }
  using cidFile = options.cidFile === undefined ? undefined : new CidFile(options.cidFile);
  if (options.pull === "always") await pull(context, options);
  const { Id, Warnings } = await createOrPull(context, options);
  for (const warning of Warnings ?? []) context.error.write(`WARNING: ${warning}\n`);
  cidFile?.write(Id);
  return Id;
}

async function createOrPull(
  context: Context,
  options: CreateOptions,
): Promise<{ Id: string; Warnings: readonly string[] }> {
  const { name, platform, request } = options;
  try {
    return await context.client.createContainer(request, { name, platform });
  } catch (error) {
    const isMissing = EngineError.is(error, "not-found") && error.message.includes("No such image");
    if (!isMissing || options.pull === "never") throw error;
    if (!options.isQuiet) context.error.write(`Unable to find image '${withTag(options.image)}' locally\n`);
  }
  await pull(context, options);
  return await context.client.createContainer(request, { name, platform });
}

async function pull(context: Context, options: CreateOptions): Promise<void> {
  const output = options.isQuiet ? undefined : context.error;
  await pullImage(context, { name: options.image, platform: options.platform, output });
}

function withTag(image: string): string {
  return /:[^/]+$|@/.test(image) ? image : `${image}:latest`;
}

/** The file of `--cidfile`: claimed before anything is created, removed again when nothing was. */
class CidFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #isWritten = false;

  constructor(path: string) {
    this.#path = path;
    if (existsSync(path)) throw taken(path);
    try {
      this.#fd = openSync(path, "wx", 0o644);
    } catch (error) {
      if (isErrno(error, "EEXIST")) throw taken(path);
      throw new EngineError("invalid", `failed to create the container ID file ${path}`, { cause: error });
    }
  }

  write(id: string): void {
    writeSync(this.#fd, id);
    this.#isWritten = true;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    if (!this.#isWritten) rmSync(this.#path, { force: true });
  }
}

function taken(path: string): EngineError {
  return new EngineError(
    "conflict",
    `container ID file found, make sure the other container isn't running or delete ${path}`,
  );
}
