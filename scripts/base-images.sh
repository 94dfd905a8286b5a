#!/usr/bin/env bash
# Makes root file systems from Debian packages, for a machine that no registry answers: no network but Debian's mirror
# is needed. Usage: base-images.sh busybox|debian|services; prints the path of the tar, kept in the cache folder.
. "$(dirname "$0")/common.sh"
need_root "bash scripts/base-images.sh $*"
mkdir -p "$CACHE"

make_busybox() {
  ensure_debian busybox=busybox-static >&2
  local root=$1/root applet
  mkdir -p "$root"/{bin,etc,root,tmp,dev,proc,sys,var,usr/bin}
  chmod 1777 "$root/tmp"
  cp "$(type -P busybox)" "$root/bin/busybox"
  for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln "$root/bin/busybox" "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  tar -C "$root" --sort=name --numeric-owner --owner=0 --group=0 -cf "$1/image.tar" .
}

make_debian() {
  ensure_debian mmdebstrap=mmdebstrap >&2
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || ensure_debian none=debian-archive-keyring >&2
  # the mirror that this machine itself uses, when it is a Debian
  local mirror
  mirror=$(. /etc/os-release; [ "$ID" != debian ] || sed -n 's/^URIs: *//p;s/^deb \(\[.*\] \)\?\([a-z]*:[^ ]*\) .*/\2/p' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1 || true)
  mmdebstrap -q --variant=minbase --include=ca-certificates \
    --aptopt='Acquire::Languages "none"' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    bookworm "$1/image.tar" $mirror >&2
}

# debian with nginx, MariaDB and PHP in it, none of them set up
make_services() {
  local root=$1/root
  mkdir "$root"
  tar -C "$root" -xf "$(bash scripts/base-images.sh debian)"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # no service is started while packages are installed
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C sh -euc '
    apt-get update -q
    apt-get install -qy --no-install-recommends -o Dpkg::Options::=--force-unsafe-io \
      nginx-light mariadb-server-core mariadb-client-core php-cli php-fpm php-mysql systemd-standalone-tmpfiles
    apt-get clean
    useradd --system --home-dir /nonexistent --shell /usr/sbin/nologin mysql
    install -d -o mysql -g mysql /var/lib/mysql /run/mysqld
    mkdir -p /run/php' >"$1/log" 2>&1 || { cat "$1/log" >&2; return 1; }
  rm -rf "$root"/var/lib/apt/lists/* "$root/etc/resolv.conf" "$root/usr/sbin/policy-rc.d"
  tar -C "$root" --sort=name --numeric-owner -cf "$1/image.tar" .
}

name=${1:?which image: busybox, debian or services}
declare -F "make_$name" >/dev/null || die "no such base image: $name (there are busybox, debian and services)"
if ! [ -s "$CACHE/$name.tar" ]; then
  work=$(mktemp -d "$CACHE/$name.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  "make_$name" "$work"
  mv "$work/image.tar" "$CACHE/$name.tar"
fi
echo "$CACHE/$name.tar"
