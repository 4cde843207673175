#!/bin/sh
# Holds the network of one pod, as Kubernetes' pause container does: application and sidecar join it (network_mode: service:…).
# Before anyone may join, the kernel is told to redirect its connections; arguments go to `lateen iptables`. The file
# $LATEEN_PODS/$LATEEN_POD names the network whose rules are set: members wait for it, and start anew when it names another.
set -eu
file=${LATEEN_PODS:=/run/lateen/pods}/${LATEEN_POD:?names the pod, such as reviews-v1}
if [ ! -w "$LATEEN_PODS" ]; then
  echo "lateen: $LATEEN_PODS cannot be written to; mount the volume that members of the pod see it by (docker-compose.yml: pods)" >&2
  exit 2
fi
rm -f "$file"
lateen iptables "$@"
readlink /proc/self/ns/net >"$file.new"
mv "$file.new" "$file"
# The rules stay with the network. What holds it from here on may do nothing at all.
exec setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs \
  sh -c 'trap "exit 0" TERM INT; while :; do sleep 86400 & wait $!; done'
