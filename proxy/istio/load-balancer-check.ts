/** What load balancing and outlier detection must keep to beyond their schemas (Istio's agent/validation.go). */
import { checkUnique } from './host-check.ts';
import type { LoadBalancer, OutlierDetection } from './load-balancer.ts';
import type { Report } from './report.ts';
import { shown } from './shown.ts';

const BEARS_WARMUP = ['UNSPECIFIED', 'ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN'];

export function checkLoadBalancer(balancer: LoadBalancer, ejects: boolean, report: Report): void {
  const { simple, consistentHash, localityLbSetting, warmup, warmupDurationSecs } = balancer;
  if (consistentHash !== undefined) checkHash(consistentHash, report.at('consistentHash'));
  if (localityLbSetting !== undefined) checkLocality(localityLbSetting, ejects, report.at('localityLbSetting'));
  const warms = warmup !== undefined || warmupDurationSecs !== undefined;
  if (warms && !BEARS_WARMUP.includes(simple ?? 'UNSPECIFIED')) {
    report
      .at(warmup === undefined ? 'warmupDurationSecs' : 'warmup')
      .error(`expected simple ROUND_ROBIN or LEAST_REQUEST beside it, got ${simple ?? 'none'}`);
  }
  if (warmup?.aggression === 0) report.at('warmup', 'aggression').error('expected a number above 0, got 0');
}

type Hash = NonNullable<LoadBalancer['consistentHash']>;

function checkHash(hash: Hash, report: Report): void {
  const keyed = [hash.httpHeaderName, hash.httpCookie, hash.useSourceIp, hash.httpQueryParameterName].some(
    (key) => key !== undefined,
  );
  if (!keyed)
    report.error('expected httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName, got none of them');
  if (hash.minimumRingSize !== undefined && (hash.ringHash ?? hash.maglev) !== undefined) {
    report.at('minimumRingSize').error('expected it inside ringHash, got it beside ringHash or maglev');
  }
  const size = hash.maglev?.tableSize;
  if (size !== undefined && (size >= 5_000_011 || !isPrime(size))) {
    report.at('maglev', 'tableSize').error(`expected a prime below 5000011, got ${size}`);
  }
  checkUnique(
    hash.httpCookie?.attributes ?? [],
    ({ name }) => name,
    (i, name) => report.at('httpCookie', 'attributes', i).error(`expected names that differ, got ${shown(name)} again`),
  );
}

function isPrime(n: number): boolean {
  if (n < 2) return false;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return true;
}

type Locality = NonNullable<LoadBalancer['localityLbSetting']>;

function checkLocality({ distribute, failover, failoverPriority }: Locality, ejects: boolean, report: Report): void {
  const given = Object.entries({ distribute, failover, failoverPriority }).filter(
    ([, list]) => (list ?? []).length > 0,
  );
  const priorityBeside = failoverPriority !== undefined && failover !== undefined && distribute === undefined;
  if (given.length > 1 && !priorityBeside)
    report.error(
      `expected one of distribute, failover, failoverPriority, got ${given.map(([name]) => name).join(' and ')}`,
    );
  for (const [i, { to = {} }] of (distribute ?? []).entries()) {
    const weights = Object.values(to);
    const sum = weights.reduce((total, share) => total + share, 0);
    if (weights.some((share) => share < 1 || share > 100) || sum !== 100) {
      report.at('distribute', i, 'to').error(`expected shares of 1 to 100 that sum to 100, got ${weights.join(', ')}`);
    }
  }
  for (const [i, { from, to }] of (failover ?? []).entries()) {
    if (from === to) report.at('failover', i).error(`expected two regions, got ${shown(from ?? '')} twice`);
  }
  if (!ejects && (failover ?? failoverPriority) !== undefined) report.warning('has no effect without outlierDetection');
}

export function checkOutlierDetection(detection: OutlierDetection, report: Report): void {
  const { splitExternalLocalOriginErrors = false, consecutiveLocalOriginFailures = 0 } = detection;
  if (consecutiveLocalOriginFailures > 0 && !splitExternalLocalOriginErrors) {
    report.at('consecutiveLocalOriginFailures').error('expected splitExternalLocalOriginErrors: true beside it');
  }
}
