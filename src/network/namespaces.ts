import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { isErrno } from "#base/errors.ts";
import type { NetworkKernel } from "./driver.ts";

/** The network namespaces of containers and build steps, pinned as files named by their ids. */
export class Namespaces {
  readonly #kernel: NetworkKernel;
  readonly #folder: string;

  constructor(kernel: NetworkKernel, folder: string) {
    this.#kernel = kernel;
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  /** A new one; gives its path. */
  create(id: string): string {
    const path = join(this.#folder, id);
    try {
      this.#kernel.createNetworkNamespace(path);
    } catch (error) {
      if (!isErrno(error, "EEXIST")) throw error;
      // Left by an attach that a crash cut short.
      this.#kernel.removeNetworkNamespace(path);
      this.#kernel.createNetworkNamespace(path);
    }
    return path;
  }

  remove(path: string): void {
    this.#kernel.removeNetworkNamespace(path);
  }

  /** Those that nobody has any more. */
  removeOthers(isKnown: (id: string) => boolean): void {
    for (const id of readdirSync(this.#folder)) if (!isKnown(id)) this.remove(join(this.#folder, id));
  }
}
