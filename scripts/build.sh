#!/usr/bin/env bash
# Makes dist/darse, the one executable. ES modules with --splitting keep the engine's code out of the command line's
# start: each program and each command is a chunk of its own, read when it is called. --bytecode spares parsing.
# Without the --no-compile-autoload flags the executable would read .env and bunfig.toml of whatever folder it is called
# in, and run code that bunfig.toml names: as root, in a folder somebody else has written.
set -euo pipefail
cd "$(dirname "$0")/.."
BUN=node_modules/.bin/bun
"$BUN" --version >/dev/null 2>&1 || node node_modules/bun/install.js
mkdir -p dist
# aside first: an engine may be running from the old file
"$BUN" build --compile --minify --bytecode --format=esm --splitting \
  --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
  --no-compile-autoload-tsconfig --no-compile-autoload-package-json \
  src/main.ts --outfile dist/darse.new
mv dist/darse.new dist/darse
