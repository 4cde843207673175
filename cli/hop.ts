/** What each proxy did with one request, out of the spans they made of it. */
import type { Span } from '#control-api/trace-store.ts';

export type Hop = {
  /** 0: the first proxy that saw it; a call that another one led to is one deeper. */
  readonly depth: number;
  /** `reviews-v3.default` */
  readonly who: string;
  /** Its proxy, as `lateen config` takes it: `reviews-v3-7d4f-x2b9.default`; "" when it is none of ours. */
  readonly proxy: string;
  readonly direction: 'gateway' | 'inbound' | 'outbound';
  /** `GET /reviews/0` */
  readonly request: string;
  /** 0: no answer was sent. */
  readonly status: number;
  /** Envoy's short forms; "-": none. */
  readonly flags: string;
  /** `sent to outbound|9080|v3|reviews.default.svc.cluster.local at 127.1.0.6:9080`, `answered by itself` */
  readonly decision: string;
  /** `VirtualService/default/reviews spec.http[0]`; "": no resource had a part in it. */
  readonly decidedBy: string;
  /** The sentence of a proxy that answered or cut it; "": it was passed on. */
  readonly reason: string;
  /** ISO 8601, and ms. */
  readonly at: string;
  readonly duration: number;
};

export const REQUEST_ID_TAG = 'guid:x-request-id';

/** Hops of the request with this id, and of the calls it led to, each after the one it came from. Null id: of the whole trace. */
export function hopsOf(spans: readonly Span[], requestId: string | null): Hop[] {
  const children = Map.groupBy(spans, (span) => span.parentId ?? '');
  const hops: Hop[] = [];
  const seen = new Set<Span>();
  const visit = (span: Span, depth: number): void => {
    // Anybody may post spans: parents may go round in a circle.
    if (seen.has(span)) return;
    seen.add(span);
    const isProxy = span.tags?.['component'] === 'proxy';
    if (isProxy) hops.push(hopOf(span, depth));
    for (const child of (children.get(span.id) ?? []).toSorted(byTime)) visit(child, isProxy ? depth + 1 : depth);
  };
  const wanted = spans.filter((span) => requestId === null || span.tags?.[REQUEST_ID_TAG] === requestId);
  const ids = new Set(wanted.map(({ id }) => id));
  const roots = wanted.filter(({ parentId }) => parentId === undefined || !ids.has(parentId));
  // First those that none of the others leads to, then what only a circle leads to.
  for (const span of [...roots.toSorted(byTime), ...wanted.toSorted(byTime)]) visit(span, 0);
  return hops;
}

/** Whose answer it was: the innermost proxy that says why, of those that answered as the first one did; null: nobody objected. */
export function decisive(hops: readonly Hop[]): Hop | null {
  const told = hops.filter(({ reason }) => reason !== '');
  const sameStatus = told.filter(({ status }) => status === hops[0]?.status);
  return deepest(sameStatus) ?? deepest(told);
}

const deepest = (hops: readonly Hop[]): Hop | null =>
  hops.reduce<Hop | null>((found, hop) => (found === null || hop.depth > found.depth ? hop : found), null);

const byTime = (a: Span, b: Span): number => (a.timestamp ?? 0) - (b.timestamp ?? 0);

function hopOf({ tags = {}, kind, localEndpoint, timestamp = 0, duration = 0 }: Span, depth: number): Hop {
  const tag = (name: string): string => plain(tags[name] ?? '');
  const [type, , pod = ''] = tag('node_id').split('~');
  const reason = tag('lateen.reason');
  const status = Number(tag('http.status_code')) || 0;
  return {
    depth,
    who: workloadOf(
      tag('istio.canonical_service'),
      tag('istio.canonical_revision'),
      tag('istio.namespace'),
      plain(localEndpoint?.serviceName ?? 'unknown'),
    ),
    proxy: pod,
    direction: type === 'router' ? 'gateway' : kind === 'CLIENT' ? 'outbound' : 'inbound',
    request: `${tag('http.method')} ${pathOf(tag('http.url'))}`,
    status,
    flags: tag('response_flags') || '-',
    decision: decisionOf(tag, status, reason),
    decidedBy: tag('lateen.decided_by') || ruleOf(tag('lateen.route')),
    reason,
    at: new Date(Math.min(timestamp / 1000, 8.64e15)).toISOString(),
    duration: duration / 1000,
  };
}

function workloadOf(service: string, revision: string, namespace: string, fallback: string): string {
  if (service === '') return fallback;
  return `${service}${revision === '' || revision === 'latest' ? '' : `-${revision}`}${namespace === '' ? '' : `.${namespace}`}`;
}

/** With a reason it did not end as the service wanted; how, the reason tells. */
function decisionOf(tag: (name: string) => string, status: number, reason: string): string {
  const address = tag('upstream_address');
  if (address === '') return status === 0 ? 'gave up' : 'answered by itself';
  return `${reason === '' ? 'sent to' : 'tried'} ${tag('upstream_cluster')} at ${address}`;
}

/** A route that a resource made is `Kind/namespace/name path`; names of the others tell only that there was no rule. */
const ruleOf = (route: string): string => (route.includes('/') ? route : '');

function pathOf(url: string): string {
  const [, path = ''] = /^[a-z]+:\/\/[^/?]*(.*)$/.exec(url) ?? [];
  return path === '' ? '/' : path;
}

/** Terminals act on these characters: C0 and C1 controls, line separators, bidi controls. */
// oxlint-disable-next-line no-control-regex -- they are what is taken out
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text that a caller may have chosen, for a terminal. */
export const plain = (text: string): string => text.replace(UNSAFE, '?');
