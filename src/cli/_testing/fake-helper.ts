import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

export interface FakeHelper extends Disposable {
  /** For `credsStore`. */
  readonly name: string;
}

/** A credential helper on the PATH that keeps a file for each address; the address `locked` fails. */
export function fakeHelper(): FakeHelper {
  const folder = mkdtempSync(join(tmpdir(), "darse-helper-"));
  const name = `fake-${process.pid}`;
  const program = join(folder, `docker-credential-${name}`);
  writeFileSync(program, SCRIPT);
  chmodSync(program, 0o755);
  const before = process.env["PATH"] ?? "";
  process.env["PATH"] = `${folder}${delimiter}${before}`;
  return {
    name,
    [Symbol.dispose]: () => {
      process.env["PATH"] = before;
      rmSync(folder, { recursive: true });
    },
  };
}

const SCRIPT = `#!/bin/sh
cd "$(dirname "$0")" && mkdir -p kept
read -r line
case $1 in
get)
  [ "$line" != locked ] || { echo "the keychain is locked"; exit 1; }
  cat "kept/$line" 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;
store) address=\${line#*ServerURL\\":\\"}; echo "$line" >"kept/\${address%%\\"*}" ;;
erase) rm -f "kept/$line" ;;
list) printf '{'; for one in kept/*; do [ ! -e "$one" ] || printf '%s"%s":"user"' "$comma" "\${one#kept/}"; comma=,; done; printf '}' ;;
esac
`;
