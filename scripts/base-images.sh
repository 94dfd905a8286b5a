#!/usr/bin/env bash
# Makes root file systems from Debian packages, for a machine that no registry answers: no network but Debian's mirror
# is needed. Usage: base-images.sh busybox|debian; prints the path of the tar, kept in the cache folder.
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

name=${1:?which image: busybox or debian}
[ "$name" = busybox ] || [ "$name" = debian ] || die "no such base image: $name (there are busybox and debian)"
if ! [ -s "$CACHE/$name.tar" ]; then
  work=$(mktemp -d "$CACHE/$name.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  "make_$name" "$work"
  mv "$work/image.tar" "$CACHE/$name.tar"
fi
echo "$CACHE/$name.tar"
