/** Statistics as people read them: cells of tables. */
import type { Party } from '#control-api/stats-input.ts';
import type { By, StatsRow } from '#control-api/stats-view.ts';

const HEADS: Readonly<Record<By, string>> = {
  workload: 'NAME',
  service: 'SERVICE',
  pod: 'POD',
  route: 'ROUTE',
  edge: 'SOURCE',
};
const NUMBERS = ['RPS', 'SUCCESS', 'P50', 'P95', 'P99', 'TCP'];
const WIDE = ['REQUESTS', 'P90', '4XX', '5XX', 'NONE', 'DENIED', 'BLOCKED', 'IN', 'OUT', 'FLAGS', 'TOLD BY'];

/** `placed`: the namespace is shown, too. */
export const statHead = (by: By, wide: boolean, placed: boolean): string[] => [
  ...(placed ? ['NAMESPACE'] : []),
  HEADS[by],
  ...(by === 'route' ? ['SERVICE'] : []),
  ...NUMBERS,
  ...(wide ? WIDE : []),
];

export const statRow = (by: By, row: StatsRow, wide: boolean, placed: boolean): string[] => [
  ...(placed ? [row.namespace || '-'] : []),
  row.name === '' ? NAMELESS[by] : short(row.name),
  ...(by === 'route' ? [short(row.service ?? '')] : []),
  ...numbers(row),
  ...(wide
    ? [
        String(row.requests),
        time(row.p90),
        ...['4xx', '5xx', 'none'].map((status) => String(row.status[status] ?? 0)),
        String(row.denied),
        String(row.blocked),
        size(row.received),
        size(row.sent),
        flagsOf(row),
        row.reporters.join(',') || '-',
      ]
    : []),
];

const NAMELESS: Readonly<Record<By, string>> = {
  workload: '(nobody of the mesh)',
  service: '(no service)',
  pod: '(no pod)',
  route: '(no route)',
  edge: '',
};

/** RPS, SUCCESS, P50, P95, P99, TCP */
export function numbers({ requests, rps, success, p50, p95, p99, tcpOpen, tcpOpened, tcpFailed }: StatsRow): string[] {
  const failed = tcpFailed === 0 ? '' : ` (${tcpFailed} failed)`;
  const tcp = tcpOpen === 0 && tcpOpened === 0 ? '-' : `${tcpOpen}${failed}`;
  if (requests === 0) return ['-', '-', '-', '-', '-', tcp];
  return [rate(rps), percent(success), time(p50), time(p95), time(p99), tcp];
}

/** `reviews` for `reviews.default.svc.cluster.local`. */
export const short = (name: string): string => /^([^.]+)\.[^.]+\.svc\./.exec(name)?.[1] ?? name;

export function nameOf({ workload, namespace }: Party, home: string, nobody: string): string {
  if (workload === '') return nobody;
  return namespace === home ? workload : `${workload}.${namespace}`;
}

export const flagsOf = ({ flags }: StatsRow): string =>
  Object.entries(flags)
    .map(([name, n]) => `${name}=${n}`)
    .join(' ') || '-';

export const rate = (rps: number): string => (rps < 10 ? rps.toFixed(2) : rps < 1000 ? rps.toFixed(1) : rps.toFixed(0));

/** Never 100 % when something failed. */
export function percent(share: number | null): string {
  if (share === null) return '-';
  if (share === 1) return '100.00%';
  return `${Math.min(99.99, share * 100).toFixed(2)}%`;
}

export function time(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 10) return `${ms.toFixed(1)}ms`;
  return ms < 10_000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(1)}s`;
}

export function size(bytes: number): string {
  const unit = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : bytes < 1024 ** 3 ? 2 : 3;
  return `${unit === 0 ? bytes : (bytes / 1024 ** unit).toFixed(1)}${['B', 'Ki', 'Mi', 'Gi'][unit]}`;
}
