# Set-up shared by the scripts: sourced, with the project's folder as working directory. Every step is skipped when
# what it makes is there already, so that a second run costs little.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BUN=node_modules/.bin/bun
CACHE=${DARSE_CACHE:-/var/cache/darse}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
die() { printf 'darse: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || die "setting up an engine needs root: it makes mounts and namespaces.
Run: sudo $*"
}

# npm packages, Bun among them; again only when the lock file is newer than what is installed.
ensure_packages() {
  if ! [ node_modules/.package-lock.json -nt package-lock.json ] || ! [ -e "$BUN" ]; then
    say "Installing the npm packages"
    # no package's own install step is run: none that we use is needed but Bun's, below
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch node_modules/.package-lock.json
  fi
  # Bun's install step puts its executable in place
  "$BUN" --version >/dev/null 2>&1 || node node_modules/bun/install.js
}

# ensure_debian PROGRAM=PACKAGE...: the packages whose programs are missing.
ensure_debian() {
  local pair missing=()
  for pair; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these packages are missing, and there is no apt-get to install them: ${missing[*]}"
  say "Installing the Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
    { apt-get update -q >/dev/null && apt-get install -qy --no-install-recommends "${missing[@]}" >/dev/null; }
}

# unpacked_debian SUITE PACKAGE: a package of another release of Debian, unpacked into the cache folder from a package
# list of its own, so that the host's packages stay as they are. Prints the folder.
unpacked_debian() {
  local suite=$1 package=$2 lists=$CACHE/apt-$1 options
  if ! [ -d "$CACHE/$package" ]; then
    mkdir -p "$lists"/{lists/partial,archives/partial}
    sed "s/^\(Suites:\).*/\1 $suite/" /etc/apt/sources.list.d/debian.sources | sed '/^$/,$d' >"$lists/$suite.sources"
    options=(-o "Dir::Etc::sourcelist=$lists/$suite.sources" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$lists/lists"
      -o "Dir::Cache::archives=$lists/archives" -o APT::Get::List-Cleanup=0)
    apt-get "${options[@]}" update -q >&2
    (cd "$lists" && apt-get "${options[@]}" download -q "$package" >&2)
    rm -rf "$CACHE/$package.new"
    dpkg -x "$lists/$package"_*.deb "$CACHE/$package.new"
    mv "$CACHE/$package.new" "$CACHE/$package"
  fi
  echo "$CACHE/$package"
}

# The executable; again only when a source file is newer.
ensure_build() {
  if ! [ -x dist/darse ] || [ -n "$(find src package-lock.json scripts/build.sh -newer dist/darse -print -quit)" ]; then
    say "Building dist/darse"
    bash scripts/build.sh
  fi
}

ensure_engine_host() {
  ensure_packages
  ensure_debian crun=crun conmon=conmon nft=nftables catatonit=catatonit
  ensure_build
  dist/darse doctor --fix --quiet
}
