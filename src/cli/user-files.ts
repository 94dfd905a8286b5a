import { readFileSync } from "node:fs";
import { EngineError, isErrno } from "#base/errors.ts";

/** The text of a file named on the command line. @throws {EngineError} not-found, forbidden, invalid */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (isErrno(error, "ENOENT"))
      throw new EngineError("not-found", `open ${path}: no such file or directory`, { cause: error });
    if (isErrno(error, "EACCES"))
      throw new EngineError("forbidden", `open ${path}: permission denied`, { cause: error });
    if (isErrno(error, "EISDIR"))
      throw new EngineError("invalid", `read ${path}: is a directory`, { cause: error });
    throw error;
  }
}
