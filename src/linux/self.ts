import { fileURLToPath } from "node:url";

/** Compiled executables hold their modules below this root, which exists in no file system. */
const COMPILED_ROOT = "/$bunfs/";

/**
 * The command that runs this program again with `args`: the executable alone when compiled, Bun and `src/main.ts`
 * otherwise. Not `process.argv[0]`, which a caller may choose; nor is `import.meta.url` asked whether we are compiled,
 * as `--bytecode` keeps the path of the source in it.
 */
export function selfCommand(...args: string[]): string[] {
  if (Bun.main.startsWith(COMPILED_ROOT)) return [process.execPath, ...args];
  return [process.execPath, fileURLToPath(new URL("../main.ts", import.meta.url)), ...args];
}
