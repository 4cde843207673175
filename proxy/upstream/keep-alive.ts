/** Probes of idle connections: a host that vanished is noticed, also by a request without a time limit. */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { KeepAlive } from '../snapshot/cluster.ts';

/** Lateen's own: noticed within some 70 s. */
const OWN = { idle: 60_000, interval: 1000, probes: 10 };

/** Whole seconds, 1 at least; the kernel knows no other. Node below 26.4 sets only the idle time (net, "socket.setKeepAlive"). */
export function setKeepAlive(socket: Socket, wanted: KeepAlive | null): void {
  if (wanted === null) return void socket.setKeepAlive(true, OWN.idle, OWN.interval, OWN.probes);
  const idle = wanted.idle ?? kernel('tcp_keepalive_time', 7200) * 1000;
  const interval = wanted.interval ?? kernel('tcp_keepalive_intvl', 75) * 1000;
  const probes = wanted.probes ?? kernel('tcp_keepalive_probes', 9);
  socket.setKeepAlive(true, Math.max(idle, 1000), Math.max(interval, 1000), Math.max(probes, 1));
}

const known = new Map<string, number>();

/** Linux' value; elsewhere its default. */
function kernel(name: string, otherwise: number): number {
  let value = known.get(name);
  if (value === undefined) {
    try {
      value = Number(readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1')) || otherwise;
    } catch {
      value = otherwise;
    }
    known.set(name, value);
  }
  return value;
}
