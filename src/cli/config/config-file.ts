import {
  chownSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { EngineError, errorMessage, isErrno } from "#base/errors.ts";

/** A JSON object whose unknown keys are kept. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A larger file is no configuration. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * `config.json` in Docker's folder of client settings: credentials of registries, helpers that keep them, and whatever
 * other programs put there, which stays as it is. It is read anew before each change and replaced as a whole.
 */
export class ConfigFile {
  /** For messages; where a link points is found out when it is written. */
  readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, "config.json");
  }

  /** What it holds; an empty object when there is no file. @throws {EngineError} invalid when it is not JSON */
  read(): JsonObject {
    let text: string;
    try {
      if (statSync(this.path).size > MAX_BYTES) throw unreadable(this.path, "it is too large");
      text = readFileSync(this.path, "utf8");
    } catch (error) {
      if (isErrno(error, "ENOENT", "ENOTDIR")) return {};
      if (isErrno(error, "EACCES", "EISDIR")) throw unreadable(this.path, errorMessage(error), error);
      throw error;
    }
    if (text.trim() === "") return {};
    try {
      const found: unknown = JSON.parse(text);
      if (!isJsonObject(found)) throw unreadable(this.path, "it is no JSON object");
      return found;
    } catch (error) {
      if (error instanceof EngineError) throw error;
      throw unreadable(this.path, errorMessage(error), error);
    }
  }

  /** Replaces the content by what `change` makes of it; readable by its owner alone. */
  update(change: (content: JsonObject) => JsonObject): void {
    const text = JSON.stringify(change(this.read()), null, "\t");
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    const target = realPath(this.path);
    const aside = `${target}.${process.pid}.tmp`;
    try {
      const fd = openSync(aside, "wx", 0o600);
      try {
        writeFileSync(fd, text);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      keepOwner(target, aside);
      renameSync(aside, target);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
  }
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The file itself where `path` is a link to it. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (isErrno(error, "ENOENT")) return path;
    throw error;
  }
}

/** A file that `sudo darse login` replaces still belongs to the person it belonged to. */
function keepOwner(target: string, aside: string): void {
  try {
    const { uid, gid } = statSync(target);
    if (process.getuid?.() === 0) chownSync(aside, uid, gid);
  } catch (error) {
    if (!isErrno(error, "ENOENT")) throw error;
  }
}

function unreadable(path: string, why: string, cause?: unknown): EngineError {
  return new EngineError("invalid", `Cannot read config file ${path}: ${why}`, { cause });
}
