/** How near a proxy is to its limits, shown by the main thread under Envoy's names. */
import { Gauge, type Registry } from 'prom-client';
import type { LoadBoard, LoadField } from '../live/load-board.ts';

type Shown = { readonly stat: string; readonly help: string; readonly value: (board: LoadBoard) => number };

const pressure = (of: string, field: LoadField, help: string): Shown => ({
  stat: `overload.${of}.pressure`,
  help: `${help}, percent; of the worker that has most.`,
  value: (board) => board.highest(field),
});

/** Actions that are on or off are at 0 or 100 percent. */
const action = (name: string, field: LoadField, percent: boolean, help: string): readonly Shown[] => [
  {
    stat: `overload.envoy.overload_actions.${name}.active`,
    help: `${help} 1: fully.`,
    value: (board) => (board.highest(field) >= (percent ? 100 : 1) ? 1 : 0),
  },
  {
    stat: `overload.envoy.overload_actions.${name}.scale_percent`,
    help: `${help} How much, percent.`,
    value: (board) => board.highest(field) * (percent ? 1 : 100),
  },
];

const SHOWN: readonly Shown[] = [
  pressure('envoy.resource_monitors.fixed_heap', 'heap', 'JavaScript heap against its limit'),
  pressure('envoy.resource_monitors.cgroup_memory', 'memory', 'Memory of the process against its limit'),
  pressure('lateen.resource_monitors.active_requests', 'requestPressure', 'Requests under way against their limit'),
  pressure('lateen.resource_monitors.event_loop_delay', 'delay', 'Delay of the event loop between its thresholds'),
  {
    stat: 'lateen.event_loop_delay_ms',
    help: 'By how much the event loop is late, ms, while requests come; of the slowest worker.',
    value: (board) => board.highest('delayMs'),
  },
  ...action('disable_http_keepalive', 'disableKeepAlive', false, 'Responses close their connection.'),
  ...action('stop_accepting_requests', 'refuseRequests', true, 'New requests are answered with 503.'),
  ...action('reject_incoming_connections', 'refuseConnections', false, 'New connections are refused.'),
  {
    stat: 'server.total_connections',
    help: 'Connections of clients that are open.',
    value: (board) => board.sum('connections'),
  },
  {
    stat: 'server.total_requests_active',
    help: 'Requests under way.',
    value: (board) => board.sum('requests'),
  },
];

/** Under Envoy's names of the `/stats` page. */
export const loadStats = (board: LoadBoard): { readonly name: string; readonly value: number }[] =>
  SHOWN.map(({ stat, value }) => ({ name: stat, value: value(board) }));

/** Registers the gauges; they are read at scrape time. */
export function exposeLoad(registry: Registry, board: LoadBoard): void {
  for (const { stat, help, value } of SHOWN) {
    const name = `${stat.startsWith('lateen.') ? '' : 'envoy_'}${stat.replaceAll('.', '_')}`;
    const gauge = new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value(board));
      },
    });
    gauge.reset();
  }
}
