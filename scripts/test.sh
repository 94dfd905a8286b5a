#!/usr/bin/env bash
# npm test: set-up, check, then every test. The last line counts them.
# npm run test:registry: only the tests of files with "registry" in their path.
. "$(dirname "$0")/common.sh"
need_root npm test
ensure_engine_host
ensure_debian docker-registry=docker-registry xz=xz-utils bzip2=bzip2 openssl=openssl skopeo=skopeo /usr/bin/python3=python3
/usr/bin/python3 -c 'import docker' 2>/dev/null || ensure_debian none=python3-docker
bash scripts/base-images.sh busybox >/dev/null
bash scripts/base-images.sh debian >/dev/null
bash scripts/base-images.sh services >/dev/null
export DARSE_TEST_DOCKER
DARSE_TEST_DOCKER=$(bash scripts/docker-cli.sh)
export DARSE_TEST_ORAS
DARSE_TEST_ORAS=$(unpacked_debian trixie oras)/usr/bin/oras
export DARSE_TEST_COMPOSE
DARSE_TEST_COMPOSE=$(unpacked_debian trixie docker-compose)/usr/libexec/docker/cli-plugins/docker-compose

say "Format, lint, types"
node_modules/.bin/biome format .
node_modules/.bin/oxlint --type-aware --quiet src test bench scripts
node_modules/.bin/tsc -p .

say "Tests"
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
# The default of 5 s a test is short for a loaded machine.
"$BUN" test --timeout 30000 ${@:-src test} 2>&1 | tee "$report" || status=$?
count() { sed -n "s/^ *\([0-9]*\) $1\$/\1/p" "$report" | tail -1; }
passed=$(count pass) failed=$(count fail) skipped=$(count skip)
echo "${passed:-0} passed, ${failed:-0} failed, ${skipped:-0} skipped"
[ "$status" = 0 ] && [ -n "$passed" ] && [ "${failed:-0}" = 0 ]
