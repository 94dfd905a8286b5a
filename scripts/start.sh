#!/usr/bin/env bash
# npm start: from a clone to a page served by a container.
. "$(dirname "$0")/common.sh"
need_root npm start
PORT=8777 NAME=darse-example IMAGE=darse-example
darse() { dist/darse "$@"; }

ensure_engine_host
say "Engine: $(darse version --format '{{.Server.Platform.Name}} {{.Server.Version}}, API {{.Server.APIVersion}}')"

if ! darse image inspect debian:latest >/dev/null 2>&1; then
  say "Base image debian:latest"
  if ! darse pull debian:latest; then
    say "No registry gave debian:latest; making it from Debian packages instead"
    darse import -c 'CMD ["bash"]' "$(bash scripts/base-images.sh debian)" debian:latest
  fi
fi

say "Building examples/nginx"
darse build -t "$IMAGE" examples/nginx

wanted=$(darse image inspect --format '{{.Id}}' "$IMAGE")
running=$(darse inspect --format '{{.Image}} {{.State.Running}}' "$NAME" 2>/dev/null || true)
if [ "$running" != "$wanted true" ]; then
  say "Running it: darse run -d -p $PORT:80 --name $NAME $IMAGE"
  darse rm -f "$NAME" >/dev/null 2>&1 || true
  darse run -d -p "$PORT:80" --name "$NAME" "$IMAGE"
fi

page=$(curl -fsS --retry 20 --retry-connrefused --retry-delay 1 "http://127.0.0.1:$PORT/")
say "The page answers: $(grep -o '<title>.*</title>' <<<"$page")"
cat <<END

  http://127.0.0.1:$PORT/        the page, served by nginx in a container
  dist/darse ps                  what runs
  dist/darse logs $NAME   what it said
  dist/darse rm -f $NAME  stops it
  npm stop                       stops the engine too

END
