#!/usr/bin/env bash
# Prints the path of an unmodified docker command line, for the tests: the one on PATH, or Debian's newest, unpacked
# into the cache folder from a package list of its own, so that the host's packages stay as they are.
. "$(dirname "$0")/common.sh"
if command -v docker >/dev/null; then
  command -v docker
  exit
fi
tool=$CACHE/docker-cli/usr/bin/docker
if ! [ -x "$tool" ]; then
  lists=$CACHE/apt-sid
  mkdir -p "$lists"/{lists/partial,archives/partial}
  sed 's/^\(Suites:\).*/\1 sid/' /etc/apt/sources.list.d/debian.sources | sed '/^$/,$d' >"$lists/sid.sources"
  options=(-o "Dir::Etc::sourcelist=$lists/sid.sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$lists/lists"
    -o "Dir::Cache::archives=$lists/archives" -o APT::Get::List-Cleanup=0)
  apt-get "${options[@]}" update -q >&2
  (cd "$lists" && apt-get "${options[@]}" download -q docker-cli >&2)
  dpkg -x "$lists"/docker-cli_*.deb "$CACHE/docker-cli"
fi
echo "$tool"
