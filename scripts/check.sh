#!/usr/bin/env bash
# npm run check: format, lint, types, unit tests, in that order.
. "$(dirname "$0")/common.sh"
ensure_packages
node_modules/.bin/biome format .
node_modules/.bin/oxlint --type-aware --quiet src test bench scripts
node_modules/.bin/tsc -p .
"$BUN" test src test/architecture.test.ts
