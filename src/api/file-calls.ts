import { Fields, parseJson } from "#base/decode.ts";
import { EngineError } from "#base/errors.ts";
import type { ApiCaller } from "./api-caller.ts";
import { ApiError } from "./api-error.ts";
import type { IdResponse } from "./exec.ts";
import type { Answer } from "./http-call.ts";
import { segment, trusted } from "./request-parts.ts";

/** What a path of a container is. */
export interface ContainerPathStat {
  readonly name: string;
  readonly size: number;
  readonly isDirectory: boolean;
  readonly isSymlink: boolean;
  /** Where a symlink leads in the end; empty for anything else. */
  readonly linkTarget: string;
}

/** `Kind` is 0 for changed, 1 for added, 2 for deleted. */
export interface FilesystemChange {
  readonly Path: string;
  readonly Kind: number;
}

export interface CommitQuery {
  readonly container: string;
  readonly repo?: string | undefined;
  readonly tag?: string | undefined;
  readonly comment?: string | undefined;
  readonly author?: string | undefined;
  readonly pause: boolean;
  readonly changes: readonly string[];
}

const STAT_HEADER = "x-docker-container-path-stat";
/** Bits of Go's `fs.FileMode`. */
const DIRECTORY = 2 ** 31;
const SYMLINK = 2 ** 27;

/** Files of containers, in and out. */
export class FileCalls {
  readonly #caller: ApiCaller;

  constructor(caller: ApiCaller) {
    this.#caller = caller;
  }

  /** `undefined` when there is no such path, or no such container. */
  async findPath(id: string, path: string): Promise<ContainerPathStat | undefined> {
    try {
      return decodeStat(await this.#caller.send({ method: "HEAD", path: archivePath(id), query: { path } }));
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** A path as a tar. */
  async getArchive(
    id: string,
    path: string,
  ): Promise<{ readonly stat: ContainerPathStat; readonly content: AsyncIterable<Uint8Array> }> {
    const answer = await this.#caller.send({ method: "GET", path: archivePath(id), query: { path } });
    return { stat: decodeStat(answer), content: answer.body };
  }

  /** Extracts a tar into the directory `path`; directories and other things do not replace each other. */
  async putArchive(
    id: string,
    query: { readonly path: string; readonly copyUIDGID: boolean },
    body: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    await this.#caller.empty({
      method: "PUT",
      path: archivePath(id),
      query: { path: query.path, noOverwriteDirNonDir: true, copyUIDGID: query.copyUIDGID || undefined },
      headers: { "Content-Type": "application/x-tar" },
      body,
    });
  }

  async *export(id: string): AsyncGenerator<Uint8Array, void> {
    yield* (await this.#caller.send({ method: "GET", path: `/containers/${segment(id)}/export` })).body;
  }

  async changes(id: string): Promise<readonly FilesystemChange[]> {
    const path = `/containers/${segment(id)}/changes`;
    return trusted<FilesystemChange[] | null>(await this.#caller.json({ method: "GET", path })) ?? [];
  }

  async commit(query: CommitQuery): Promise<IdResponse> {
    return trusted(await this.#caller.json({ method: "POST", path: "/commit", query: { ...query } }));
  }
}

function archivePath(id: string): string {
  return `/containers/${segment(id)}/archive`;
}

function decodeStat({ head }: Answer): ContainerPathStat {
  const header = head.headers.get(STAT_HEADER);
  if (header === undefined) {
    throw new EngineError("corrupt", "Cannot read the engine's answer: it does not say what the path is");
  }
  const text = Buffer.from(header, "base64").toString();
  const fields = new Fields(parseJson(text, "path stat"), "path stat");
  const mode = fields.integer("mode") ?? 0;
  const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
  return {
    name: fields.string("name") ?? "",
    size: fields.integer("size") ?? 0,
    isDirectory: has(DIRECTORY),
    isSymlink: has(SYMLINK),
    linkTarget: fields.string("linkTarget") ?? "",
  };
}
