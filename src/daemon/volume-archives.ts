import { FileArchiver } from "#store/archive/file-archiver.ts";
import type { VolumeArchiver } from "./volumes.ts";

/** Archives of volumes, made and read as those of containers are: in a child, every path inside the root. */
export class VolumeArchives implements VolumeArchiver {
  readonly #archiver = new FileArchiver();

  async *pack(path: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const { content } = await this.#archiver.pack(viewOf(path), "/.", signal);
    yield* content;
  }

  async extract(path: string, source: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const target = { view: viewOf(path), path: "/", refusesTypeChange: false, describesTop: true };
    await this.#archiver.extract(target, source, signal);
  }
}

function viewOf(root: string): { root: string; isRootReadOnly: boolean; mounts: [] } {
  return { root, isRootReadOnly: false, mounts: [] };
}
