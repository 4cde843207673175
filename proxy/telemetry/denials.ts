/** Counts what authorization policies refused, by policy and by caller; nothing is done for what they let in. */
import type { Counter } from '../core/counter.ts';
import type { Family, SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';

/** `policy`: `NAMESPACE/NAME`, or `none` where no ALLOW policy matched. Istio's labels of the caller; `protocol` is `http` or `tcp`. */
const DENIED: Family = {
  name: 'lateen_authz_denied_total',
  help: 'Requests and connections that an authorization policy refused.',
  type: 'counter',
  labels: ['policy', 'source_workload', 'source_workload_namespace', 'request_protocol'],
  bounds: [],
  kept: 1,
};

/** How Envoy's RBAC filter, and ours, begins its response code details. */
const DETAILS = 'rbac_access_denied_matched_policy[';
const POLICY = /^ns\[(.*)\]-policy\[(.*)\]-rule\[\d+\]$/;

/** Returns what is to be called once for every request or connection, at its end. It never throws. */
export function createDenialCounter(writer: SeriesWriter): (x: Exchange, protocol: 'http' | 'tcp') => void {
  const counters = new Map<string, Counter>();
  return (x, protocol) => {
    if (!x.details.startsWith(DETAILS)) return;
    const peer = x.connection.peer;
    const labels = [policyOf(x.details), peer?.workload ?? 'unknown', peer?.namespace ?? 'unknown', protocol];
    const key = labels.join(' ');
    let counter = counters.get(key);
    if (counter === undefined) counters.set(key, (counter = writer.counter(DENIED, labels)));
    counter.add(1);
  };
}

/** `rbac_access_denied_matched_policy[ns[default]-policy[deny]-rule[0]]` → `default/deny` */
function policyOf(details: string): string {
  const id = details.slice(DETAILS.length, -1);
  const [, namespace, name] = POLICY.exec(id) ?? [];
  return name === undefined ? id : `${namespace}/${name}`;
}
