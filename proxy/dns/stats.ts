/** What DNS capture has done, in the proxy's own metrics, under the names of Istio's agent and by result. */
import { Counter, Histogram, type Registry } from 'prom-client';

/** `answered`: by a name of the mesh. `failed`: nobody could say. `malformed`: refused or dropped unread. `looped`: a question of our own. */
export const RESULTS = ['answered', 'forwarded', 'failed', 'overloaded', 'malformed', 'looped'] as const;
export type Result = (typeof RESULTS)[number];

export type DnsStats = {
  /** One question, once it is answered. */
  count(result: Result): void;
  /** One question that went to other servers. */
  upstream(answered: boolean, ms: number): void;
};

/** Istio's `dns_…` of its agent appear on a pod's merged page with this prefix (pkg/dns/client/monitoring.go). */
const AGENT = 'istio_agent_dns';

export function exposeDnsStats(registry: Registry): DnsStats {
  const registers = [registry];
  const requests = new Counter({ name: `${AGENT}_requests_total`, help: 'DNS questions.', registers });
  const passedOn = new Counter({
    name: `${AGENT}_upstream_requests_total`,
    help: 'DNS questions that went to other servers.',
    registers,
  });
  const failures = new Counter({
    name: `${AGENT}_upstream_failures_total`,
    help: 'DNS questions that no other server answered.',
    registers,
  });
  const duration = new Histogram({
    name: `${AGENT}_upstream_request_duration_seconds`,
    help: 'How long other servers took to answer.',
    buckets: [0.001, 0.005, 0.01, 0.1, 1, 5],
    registers,
  });
  const results = new Counter({
    name: 'lateen_dns_requests_total',
    help: 'DNS questions by what came of them.',
    labelNames: ['result'],
    registers,
  });
  for (const result of RESULTS) results.inc({ result }, 0);
  return {
    count(result) {
      requests.inc();
      results.inc({ result });
    },
    upstream(answered, ms) {
      passedOn.inc();
      if (!answered) failures.inc();
      duration.observe(ms / 1000);
    },
  };
}
