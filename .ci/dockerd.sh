# Starts a Docker daemon where none answers, and stops it again. Sourced by .ci/run; needs root.
#   start_dockerd DIR     its socket, log and pid in DIR; sets DOCKER_HOST. Its images stay for the next time, in lateen/docker of the user's cache.
#   stop_dockerd          only one that start_dockerd started, with its containers

dockerd_pid=''
dockerd_dir=''

start_dockerd() {
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 && return
  if [[ -n ${DOCKER_HOST:-} ]]; then
    log "no Docker daemon answers at DOCKER_HOST=$DOCKER_HOST: $(docker version 2>&1 | tail -n 1)"
    return 1
  fi
  if (($(id -u) != 0)); then log 'no Docker daemon answers, and only root can start one'; return 1; fi
  if ! command -v dockerd >/dev/null; then log 'no Docker daemon answers, and dockerd is not installed (apt-get install docker.io)'; return 1; fi
  dockerd_dir=$1
  mkdir -p "$dockerd_dir"
  export DOCKER_HOST=unix://$dockerd_dir/docker.sock
  # What can be in its way, each tried around once: the kernel knows only one of the two iptables; the file system is one that overlays cannot be on.
  local path=$PATH:/usr/sbin:/sbin more=() legacy='' vfs='' said=$dockerd_dir/log
  while true; do
    if try_dockerd "$path" "${more[@]}"; then
      log "dockerd $(docker version --format '{{.Server.Version}}') started ($(docker info --format '{{.Driver}}')), its log is $said"
      [[ $(docker info --format '{{.Driver}}') != vfs ]] || log 'warning: dockerd copies images (vfs) instead of overlaying them: slow, and each container takes the space of its image'
      return
    fi
    if [[ -z $legacy ]] && grep -q '^failed to start daemon.*iptables' "$said" && command -v iptables-legacy >/dev/null; then
      legacy=$dockerd_dir/legacy
      mkdir -p "$legacy"
      for tool in iptables ip6tables; do ln -sf "$(command -v $tool-legacy)" "$legacy/$tool"; done
      path=$legacy:$path
      log 'dockerd: iptables does not work here; trying the legacy one'
    elif [[ -z $vfs ]] && grep -qE '^failed to start daemon.*(graphdriver|overlay)' "$said"; then
      vfs=1
      more+=(--storage-driver=vfs)
      log 'dockerd: no overlay file system here; trying without'
    else
      { grep -aE '^failed to start daemon|level=(error|fatal)' "$said" || tail -n 20 "$said"; } | tail -n 20 >&2
      log "dockerd does not start here: see above; all it said is in $said"
      unset DOCKER_HOST
      return 1
    fi
  done
}

# Its data of two drivers do not mix, nor would two daemons on the same data.
try_dockerd() {
  local path=$1 data=${XDG_CACHE_HOME:-$HOME/.cache}/lateen/docker
  shift
  [[ $* != *vfs* ]] || data+=-vfs
  PATH=$path dockerd --host "$DOCKER_HOST" --data-root "$data" --exec-root "$dockerd_dir/exec" --pidfile "$dockerd_dir/pid" "$@" >"$dockerd_dir/log" 2>&1 &
  dockerd_pid=$!
  for ((i = 0; i < 300; i++)); do
    docker version >/dev/null 2>&1 && return
    kill -0 "$dockerd_pid" 2>/dev/null || { dockerd_pid=''; return 1; }
    sleep 0.1
  done
  echo 'no answer within 30 s' >>"$dockerd_dir/log"
  stop_dockerd
  return 1
}

stop_dockerd() {
  [[ -n $dockerd_pid ]] || return 0
  local containerd
  containerd=$(cat "$dockerd_dir/exec/containerd/containerd.pid" 2>/dev/null || true)
  kill "$dockerd_pid" 2>/dev/null || true
  wait "$dockerd_pid" 2>/dev/null || true
  dockerd_pid=''
  # It leaves this mounted when a container used the host's network.
  umount "$dockerd_dir"/exec/netns/* 2>/dev/null || true
  # It ends its containerd; one that outlived a crash of it is ended here.
  if [[ -n $containerd && $(cat "/proc/$containerd/comm" 2>/dev/null) == containerd ]]; then kill "$containerd" 2>/dev/null || true; fi
}
