#!/usr/bin/env bash
# Makes the public images that Dockerfile and docker-compose.yml name, where they cannot be pulled: from Debian, npm and Maven Central.
#   test/compose/images/make.sh [IMAGE ...]     makes what is not there (default: every image those two files name)
#   test/compose/images/make.sh --names         prints what would be made or pulled, and makes nothing
# Nothing is done for an image that is there already: a real one always, one of ours while these files have not changed.
# Needs root, docker, debootstrap, npm and, for Zipkin, its jar (.ci/run fetches it) or mvn.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
jars=${XDG_CACHE_HOME:-$HOME/.cache}/lateen
suite=bookworm
base=lateen-stand-in/debian:$suite
label=lateen.stand-in

say() { printf 'images: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Every image of the two files: ${NAME:-default} is its default; stages of the Dockerfile and our own image are not of them.
public_names() {
  local compose=$root/docker-compose.yml
  {
    awk 'toupper($1) == "ARG" && split($2, a, "=") == 2 { arg[a[1]] = a[2] }
      toupper($1) == "FROM" {
        i = $2 ~ /^--/ ? 3 : 2; name = $i
        for (key in arg) { gsub("[$][{]" key "(:?-[^}]*)?[}]", arg[key], name); if (name == "$" key) name = arg[key] }
        if (!(name in stage) && name != "scratch") print name
        if (toupper($(i + 1)) == "AS") stage[$(i + 2)] = 1
      }' "$root/Dockerfile"
    sed -nE "s/^ +image: *[\"']?([^\"' #]+).*/\1/p" "$compose" | sed -E 's/^\$\{[A-Za-z0-9_]+:?-([^}]*)\}$/\1/'
  } | grep -vE '^(.*/)?lateen(:.*)?$' | sort -u
}

# The directory with what an image is made from; `-`: there is none, and its service is left out where it cannot be pulled.
kind_of() {
  case $1 in
    *@*) fail "$1: an image with a digest can only be pulled" ;;
    *'$'*) fail "$1: a name that only variables know cannot be made; give it a default (\${NAME:-default})" ;;
    node:*) echo node ;;
    mariadb:*) echo mariadb ;;
    openzipkin/zipkin:*) echo zipkin ;;
    prom/prometheus:*) echo prometheus ;;
    grafana/grafana:*) echo - ;;
    *) fail "$1: nothing here makes it; add a directory with its Dockerfile, and its name to kind_of in $0" ;;
  esac
}

if (($# == 0)) || [[ $1 == --names ]]; then
  for file in Dockerfile docker-compose.yml; do [[ -r $root/$file ]] || fail "$root/$file is not there: name the images (make.sh node:26-slim ...)"; done
  mapfile -t names < <(public_names)
else
  names=("$@")
fi
declare -A kinds
for name in "${names[@]}"; do kinds[$name]=$(kind_of "$name"); done
if [[ ${1:-} == --names ]]; then
  for name in "${names[@]}"; do [[ ${kinds[$name]} == - ]] || echo "$name"; done
  exit
fi

docker version --format '{{.Server.Version}}' >/dev/null 2>&1 || fail "no Docker daemon answers: $(docker version 2>&1 | tail -n 1)"
lock=${TMPDIR:-/tmp}/lateen-images.lock
exec 9>"$lock"
flock 9

# What an image is made from, in a word. The base image belongs to all.
recipe() { (cd "$here" && cat make.sh "${1:+$1/}"* 2>/dev/null | cksum | tr ' ' -); }

# Real ones have no label, and are good.
is_there() {
  local made
  made=$(docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$1" 2>/dev/null) || return 1
  [[ -z $made || $made == "$2" ]]
}

missing=()
for name in "${names[@]}"; do
  kind=${kinds[$name]}
  if is_there "$name" "$(recipe "$kind")"; then
    say "$name is there"
  elif [[ $kind == - ]]; then
    say "$name is left out: it can only be pulled"
  else
    missing+=("$name")
  fi
done
((${#missing[@]})) || exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

make_base() {
  command -v debootstrap >/dev/null || fail 'debootstrap is not installed (apt-get install debootstrap)'
  local mirror rootfs=$work/rootfs
  # The mirror that this machine uses; debootstrap knows one otherwise.
  mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 2>/dev/null | sed -n "s/^$suite //p" | head -n 1)
  debootstrap --variant=minbase --include=libatomic1 "$suite" "$rootfs" ${mirror:+"$mirror"} >"$work/base.log" 2>&1 ||
    { tail -n 20 "$work/base.log" >&2; fail "debootstrap $suite failed; see above"; }
  # As Debian's slim images are: without documentation and lists, and packages put none there later.
  rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/var/log/*.log
  find "$rootfs"/usr/share/{doc,man,info,locale} -mindepth 1 -maxdepth 1 ! -name locale.alias -exec rm -rf {} +
  printf 'path-exclude /usr/share/%s/*\n' doc man info locale >"$rootfs/etc/dpkg/dpkg.cfg.d/slim"
  printf 'force-unsafe-io\n' >"$rootfs/etc/dpkg/dpkg.cfg.d/fast"
  printf '#!/bin/sh\nexit 101\n' >"$rootfs/usr/sbin/policy-rc.d"
  chmod +x "$rootfs/usr/sbin/policy-rc.d"
  # How this machine reaches the world holds for builds, too.
  apt-config dump 2>/dev/null | grep -E '^Acquire::https?::Proxy ' >"$rootfs/etc/apt/apt.conf.d/90machine" || true
  mkdir -p "$rootfs/etc/ssl/certs"
  cp -L /etc/ssl/certs/ca-certificates.crt "$rootfs/etc/ssl/certs/"
  tar -C "$rootfs" -c . | docker import --change "LABEL $label=$1" --change 'CMD ["bash"]' - "$base" >/dev/null
}

# Puts into the directory what the Dockerfile of that kind copies.
fill() {
  local kind=$1 to=$2
  cp "$here/$kind"/* "$to/"
  case $kind in
    node)
      compgen -G "$root/node_modules/node-*/bin/node" >/dev/null || sh "$root/scripts/with-node.sh" --dev scripts/layers.ts >/dev/null
      cp "$(compgen -G "$root/node_modules/node-*/bin/node" | head -n 1)" "$to/node"
      npm install --silent --no-audit --no-fund --global --prefix "$to/npm" npm@11
      ;;
    zipkin)
      if ! compgen -G "$jars/zipkin-server-3.*-slim.jar" >/dev/null; then
        mvn -q -B dependency:copy -Dartifact=io.zipkin:zipkin-server:3.5.1:jar:slim -DoutputDirectory="$jars" -Dmdep.useBaseVersion=true
      fi
      cp "$(compgen -G "$jars/zipkin-server-3.*-slim.jar" | head -n 1)" "$to/zipkin.jar"
      ;;
  esac
}

make_image() {
  local name=$1 kind=${kinds[$1]} since=$SECONDS context before
  before=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null || true)
  context=$work/$kind-${name//[^a-z0-9]/-}
  mkdir "$context"
  fill "$kind" "$context"
  # The older builder: it needs no plugin, and takes the base from this machine. The host's network: that of containers may have no way out.
  DOCKER_BUILDKIT=0 docker build --network host --force-rm --build-arg "BASE=$base" --label "$label=$(recipe "$kind")" --tag "$name" "$context"
  # What it replaces, unless containers or other images need it.
  [[ -z $before ]] || docker image rm "$before" || true
  say "$name made in $((SECONDS - since)) s, $(($(docker image inspect --format '{{.Size}}' "$name") / 1000000)) MB"
}

if ! is_there "$base" "$(recipe '')"; then
  since=$SECONDS
  say "making $base"
  make_base "$(recipe '')"
  say "$base made in $((SECONDS - since)) s, $(($(docker image inspect --format '{{.Size}}' "$base") / 1000000)) MB"
fi

say "making ${missing[*]}"
declare -A jobs
for name in "${missing[@]}"; do
  log=$work/${name//[^a-z0-9]/-}.log
  # What the job says goes to the terminal, the rest into its log.
  (exec 3>&2 2>"$log" >&2; set -e; say() { printf 'images: %s\n' "$*" >&3; }; make_image "$name") &
  jobs[$name]=$!
done
broken=0
for name in "${missing[@]}"; do
  wait "${jobs[$name]}" || { broken=1; tail -n 30 "$work/${name//[^a-z0-9]/-}.log" >&2; say "$name could not be made; see above"; }
done
say "all took $SECONDS s"
exit "$broken"
