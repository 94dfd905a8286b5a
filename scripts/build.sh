#!/usr/bin/env bash
# Makes dist/darse, the one executable. ES modules with --splitting keep the engine's code out of the command line's
# start: each program and each command is a chunk of its own, read when it is called. --bytecode spares parsing.
set -euo pipefail
cd "$(dirname "$0")/.."
BUN=node_modules/.bin/bun
"$BUN" --version >/dev/null 2>&1 || node node_modules/bun/install.js
mkdir -p dist
# aside first: an engine may be running from the old file
"$BUN" build --compile --minify --bytecode --format=esm --splitting src/main.ts --outfile dist/darse.new
mv dist/darse.new dist/darse
