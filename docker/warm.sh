#!/bin/sh
# Runs every command of the image for a moment, while it is built, so that their compiled code is in $NODE_COMPILE_CACHE.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
run() { timeout --preserve-status --signal=TERM 20 lateen "$@" >"$dir/out" 2>&1 || { cat "$dir/out" >&2; exit 1; }; }

# Each ends by itself once it has served: so its code is kept.
serve() {
  what=$1 url=$2
  shift 2
  lateen "$@" >"$dir/$what" 2>&1 &
  pid=$!
  until curl -fs -o /dev/null "$url"; do
    kill -0 $pid 2>/dev/null || { cat "$dir/$what" >&2; exit 1; }
    sleep 0.1
  done
  kill -TERM $pid
  wait $pid || { cat "$dir/$what" >&2; exit 1; }
}

# Of its own, as the build may share the network of a machine that runs a mesh.
ip=127.99.7.1

run version --client
run iptables --dry-run --redirect-dns
serve control http://$ip:8001/version control --host $ip --state "$dir/state"
serve sidecar http://$ip:15021/healthz/ready \
  sidecar --config /lateen/config/bookinfo --workload reviews-v1 --ip $ip --interception-mode REDIRECT --dns-capture
serve gateway http://$ip:15021/healthz/ready gateway --config /lateen/config/bookinfo --ip $ip
for service in productpage details reviews ratings; do
  LISTEN_HOST=$ip serve "$service" http://$ip:9080/health bookinfo "$service" 9080
done
chmod -R a+rX "$NODE_COMPILE_CACHE"
