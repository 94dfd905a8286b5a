#!/usr/bin/env bash
# Prints the path of an unmodified docker command line, for the tests: the one on PATH, or Debian's newest.
. "$(dirname "$0")/common.sh"
if command -v docker >/dev/null; then
  command -v docker
  exit
fi
echo "$(unpacked_debian sid docker-cli)/usr/bin/docker"
