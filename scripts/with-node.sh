#!/bin/sh
# Runs a script of this project with the right Node, after setting up what is missing.
#   scripts/with-node.sh [--dev] FILE [ARG ...]     --dev: development dependencies too
# The right Node is the one npm brought (node_modules/node-*), else a system Node >= 24 (types are stripped by Node itself).
# LATEEN_NODE, which an image sets, is that Node, and says that nothing is missing.
set -eu
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
omit='--omit=dev'
if [ "${1:-}" = --dev ]; then omit=''; shift; fi

say() { printf 'lateen: %s\n' "$*" >&2; }

# A stamp says which lockfile node_modules was made from, and whether development dependencies are in it.
stamp="$root/node_modules/.lateen-$(cksum <"$root/package-lock.json" | tr ' ' -)"
ready() { [ -f "$stamp-dev" ] || { [ -n "$omit" ] && [ -f "$stamp" ]; }; }
if [ -z "${LATEEN_NODE:-}" ] && ! ready; then
  command -v npm >/dev/null 2>&1 || { say 'npm is needed for the first start, and is not on the PATH. Install Node.js 20 or newer with npm.'; exit 1; }
  lock="$root/.lateen-setup.lock"
  while ! mkdir "$lock" 2>/dev/null; do
    holder=$(cat "$lock/pid" 2>/dev/null || echo)
    if [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; then rm -rf "$lock"; continue; fi
    sleep 1
  done
  echo $$ >"$lock/pid"
  trap 'rm -rf "$lock"' EXIT INT TERM
  if ! ready; then
    say 'setting up (npm ci) ...'
    (cd "$root" && npm ci $omit --no-audit --no-fund --loglevel=error >&2) || { say 'npm ci failed; see above.'; exit 1; }
    if [ -n "$omit" ]; then : >"$stamp"; else : >"$stamp-dev"; fi
  fi
  rm -rf "$lock"
  trap - EXIT INT TERM
fi

node=${LATEEN_NODE:-}
for candidate in "$root"/node_modules/node-*/bin/node; do
  if [ -n "$node" ]; then break; fi
  if [ -x "$candidate" ] && "$candidate" -e 0 >/dev/null 2>&1; then node=$candidate; break; fi
done
if [ -z "$node" ]; then
  found=$(command -v node 2>/dev/null || true)
  if [ -n "$found" ] && [ "$("$found" -p 'process.versions.node.split(".")[0]')" -ge 24 ] 2>/dev/null; then
    node=$found
  else
    say 'no usable Node >= 24. The bundled Node 26 could not start: on Linux it needs libatomic.so.1'
    say '(Debian, Ubuntu: apt-get install libatomic1; Fedora, RHEL: dnf install libatomic; Alpine: apk add libatomic), or install Node.js 24 or newer.'
    exit 1
  fi
fi

# Tools that are started by name (tsc, vitest, npm) find this Node, too.
PATH="$(dirname "$node"):$root/node_modules/.bin:$PATH"
export PATH
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-$root/node_modules/.cache/node-compile}"
file=$1
shift
# A mesh runs many proxies on one machine: small young generations and one helper thread of V8 save 20 MB in each
# (docs/decisions/0007-memory-of-a-proxy.md).
case $file in
  cli/*) set -- --max-semi-space-size=1 --v8-pool-size=1 --expose-gc "$root/$file" "$@" ;;
  *) set -- "$root/$file" "$@" ;;
esac
exec "$node" --disable-warning=ExperimentalWarning "$@"
