import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJson } from "#base/decode.ts";
import { EngineError, isErrno } from "#base/errors.ts";
import { MAX_MANIFEST_BYTES } from "#oci/manifest.ts";
import { decodeLocal, encodeLocal, type LocalManifest } from "./local-manifest.ts";

/** The manifest stands in its file twice, once in base64. */
const MAX_FILE_BYTES = 4 * MAX_MANIFEST_BYTES;

/**
 * Lists that are being put together, as Docker's command line keeps them:
 *
 *     ~/.docker/manifests/
 *       docker.io_library_app-1.0/                one folder for each list
 *         docker.io_library_app-1.0-amd64         one file for each image, JSON
 */
export class ManifestStore {
  readonly #root: string;

  /** @param configFolder the folder of client settings */
  constructor(configFolder: string) {
    this.#root = join(configFolder, "manifests");
  }

  /** The images of a list, in the order of their names; `undefined` when there is no such list. */
  async findList(list: string): Promise<LocalManifest[] | undefined> {
    const folder = join(this.#root, fileName(list));
    let names: string[];
    try {
      names = await readdir(folder);
    } catch (error) {
      if (isErrno(error, "ENOENT")) return undefined;
      throw error;
    }
    const found = await Promise.all(names.toSorted().map((name) => readManifest(join(folder, name))));
    return found.filter((manifest) => manifest !== undefined);
  }

  /** @throws {EngineError} not-found */
  async getList(list: string): Promise<LocalManifest[]> {
    const found = await this.findList(list);
    if (!found) throw new EngineError("not-found", `No such manifest: ${list}`);
    return found;
  }

  async find(list: string, image: string): Promise<LocalManifest | undefined> {
    return await readManifest(this.#path(list, image));
  }

  /** Puts an image into a list, or in place of itself. */
  async save(list: string, image: string, manifest: LocalManifest): Promise<void> {
    const path = this.#path(list, image);
    await mkdir(join(this.#root, fileName(list)), { recursive: true });
    const aside = join(this.#root, `.${fileName(list)}.${process.pid}.tmp`);
    try {
      await writeFile(aside, JSON.stringify(encodeLocal(manifest)), { mode: 0o644 });
      await rename(aside, path);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  async remove(list: string): Promise<void> {
    await rm(join(this.#root, fileName(list)), { recursive: true, force: true });
  }

  #path(list: string, image: string): string {
    return join(this.#root, fileName(list), fileName(image));
  }
}

async function readManifest(path: string): Promise<LocalManifest | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) throw new EngineError("invalid", `Cannot read ${path}: it is too large`);
    return decodeLocal(parseJson(await readFile(path, "utf8"), path), path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/** Docker's: a reference begins with its registry, so no name begins with a dot. */
function fileName(reference: string): string {
  return reference.replaceAll(":", "-").replaceAll("/", "_");
}
