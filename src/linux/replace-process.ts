import { ptr } from "bun:ffi";
import { check, libc } from "./_libc.ts";

/**
 * Becomes another program: the same process, with its number, its parent and its standard streams. Returns only by
 * throwing. execve(2).
 *
 * @param command the program's path, and its arguments
 */
export function replaceProcess(command: readonly string[], env: Readonly<Record<string, string>>): never {
  const [path = ""] = command;
  const texts = [command, Object.entries(env).map(([name, value]) => `${name}=${value}`)].map((list) =>
    list.map((text) => Buffer.from(`${text}\0`)),
  );
  const [args = pointers([]), environment = pointers([])] = texts.map(pointers);
  check(libc.execve(path, args, environment), "execve", path);
  throw new Error(`execve of ${path} returned`);
}

/** An array of pointers that ends in NULL. The texts must live as long as it is used. */
function pointers(texts: readonly Buffer[]): BigUint64Array {
  return new BigUint64Array([...texts.map((text) => BigInt(ptr(text))), 0n]);
}
