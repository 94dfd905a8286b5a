#!/usr/bin/env bash
# npm stop: removes the example's container and stops the engine. Images and volumes stay.
. "$(dirname "$0")/common.sh"
need_root npm stop
pid=$(cat /run/darse/darse.pid 2>/dev/null || true)
if [ -z "$pid" ] || ! kill -0 "$pid" 2>/dev/null; then
  say "No engine runs"
  exit 0
fi
dist/darse rm -f darse-example >/dev/null 2>&1 || true
kill -TERM "$pid"
while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
say "The engine has stopped"
