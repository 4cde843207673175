/** What limits and overload refused, counted by workers under Envoy's names. */
import type { Counter } from '../core/counter.ts';
import type { Family, SeriesWriter } from '../core/registry.ts';

const counterFamily = (name: string, label: string, help: string): Family => ({
  name,
  help,
  type: 'counter',
  labels: [label],
  bounds: [],
  kept: 0,
});
const ofListener = (name: string, help: string): Family =>
  counterFamily(`envoy_listener_${name}`, 'envoy_listener_address', help);
const ofHttp = (name: string, help: string): Family =>
  counterFamily(`envoy_http_${name}`, 'envoy_http_conn_manager_prefix', help);

/** Counters by what they count; `listener`, `total`, `address`, `overload` are the refusals of connections. */
const FAMILIES = {
  listener: ofListener('downstream_cx_overflow', 'Connections refused: the listener had as many as it may.'),
  total: ofListener('downstream_global_cx_overflow', 'Connections refused: the process had as many as it may.'),
  address: counterFamily(
    'lateen_listener_downstream_cx_address_overflow',
    'envoy_listener_address',
    'Connections refused: their address had as many as it may.',
  ),
  overload: ofListener('downstream_cx_overload_reject', 'Connections refused: memory was short.'),
  request: ofHttp('downstream_rq_overload_close', 'Requests refused: the worker was overloaded.'),
  keepAlive: ofHttp(
    'downstream_cx_overload_disable_keepalive',
    'Responses that closed their connection: memory was short.',
  ),
} as const;

export type OverloadCount = keyof typeof FAMILIES;

/** Counts one. `where`: a listener's address and port, as `127.0.0.1_15001`, or its name for requests. */
export type CountOverload = (what: OverloadCount, where: string) => void;

export function createOverloadMetrics(writer: SeriesWriter): CountOverload {
  const counters = new Map<OverloadCount, Map<string, Counter>>();
  return (what, where) => {
    let of = counters.get(what);
    if (of === undefined) counters.set(what, (of = new Map<string, Counter>()));
    let counter = of.get(where);
    if (counter === undefined) of.set(where, (counter = writer.counter(FAMILIES[what], [where])));
    counter.add(1);
  };
}
