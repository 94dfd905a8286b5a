import { EngineError } from "#base/errors.ts";

/**
 * Work that the engine gives to a child of its own executable: untrusted bytes are handled there, on another core.
 * Resolves to the exit code.
 *
 * @throws {EngineError} invalid for a worker that does not exist
 */
export async function runWorker([name = "", ...args]: readonly string[]): Promise<number> {
  switch (name) {
    case "unpack": {
      const { runUnpackWorker } = await import("#store/layer/unpack-worker.ts");
      return await runUnpackWorker(args);
    }
    case "archive": {
      const { runArchiveWorker } = await import("#store/archive/archive-worker.ts");
      return await runArchiveWorker(args);
    }
    case "mount": {
      const { runMountWorker } = await import("#store/volume/mount-worker.ts");
      return await runMountWorker(args);
    }
    default:
      throw new EngineError("invalid", `Cannot start worker "${name}": there is none of that name`);
  }
}
