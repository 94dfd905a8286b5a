import { dlopen } from "bun:ffi";

/**
 * A hostile neighbour: exchanges two paths, such as a directory and a symlink to the host, as fast as it can until it
 * is killed. Run as `bun racer.ts <one> <other>`; writes a line when it has begun.
 */
const RENAME_EXCHANGE = 2;
const AT_FDCWD = -100;

const { renameat2 } = dlopen("libc.so.6", {
  renameat2: { args: ["i32", "cstring", "i32", "cstring", "u32"], returns: "i32" },
}).symbols;

const [one = "", other = ""] = process.argv.slice(2);
if (renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE) !== 0) throw new Error("Cannot race");
process.stdout.write("racing\n");
for (;;) renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
