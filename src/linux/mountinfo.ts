import { EngineError } from "#base/errors.ts";
import type { MountEntry } from "./kernel.ts";

/**
 * Parses `/proc/<pid>/mountinfo`. `proc_pid_mountinfo(5)`:
 *
 *     36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
 *     id parent dev root target options tags*    - type source superOptions
 *
 * Space, tab, newline and backslash in names are octal escapes (`\040`).
 */
export function parseMountInfo(text: string): MountEntry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map(parseLine);
}

function parseLine(line: string): MountEntry {
  const fields = line.split(" ");
  const separator = fields.indexOf("-", 6);
  const [id, parentId, , root, target, options] = fields;
  if (separator < 0 || root === undefined || target === undefined || options === undefined) {
    throw new EngineError(
      "corrupt",
      `Cannot read the mount table: line ${JSON.stringify(line)} is incomplete`,
    );
  }
  return {
    id: Number(id),
    parentId: Number(parentId),
    root: unescapeOctal(root),
    target: unescapeOctal(target),
    options: options.split(","),
    tags: fields.slice(6, separator),
    type: fields[separator + 1] ?? "",
    source: unescapeOctal(fields[separator + 2] ?? ""),
    // Options may hold a space that some file systems do not escape.
    superOptions: fields
      .slice(separator + 3)
      .join(" ")
      .split(","),
  };
}

function unescapeOctal(text: string): string {
  return text.includes("\\")
    ? text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
    : text;
}
