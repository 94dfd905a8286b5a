#!/usr/bin/env bash
# npm run clean: removes every container of the engine on this machine, stops it, and deletes its images, volumes and
# records. Only with --yes.
. "$(dirname "$0")/common.sh"
need_root npm run clean
[ "${1-}" = --yes ] || die "this deletes all containers, images and volumes of Darse on this machine.
Run: npm run clean -- --yes"
if [ -x dist/darse ] && [ -e /var/lib/darse ]; then
  mapfile -t ids < <(dist/darse ps -aq)
  [ ${#ids[@]} = 0 ] || dist/darse rm -f -v "${ids[@]}" >/dev/null
  bash scripts/stop.sh
fi
rm -rf /var/lib/darse /run/darse
say "Nothing of Darse is left"
