/** What Mixer's prometheus adapter made of its settings: names and buckets (istio.io/v1.0: Prometheus adapter). */
import type { MetricInfo } from './mixer-telemetry.ts';

const REPLACED: Readonly<Record<string, string>> = { '/': '_', '.': '_', ' ': '_', '-': '' };

/** A name without what Prometheus does not take. */
export const safeName = (name: string): string => name.replace(/^\//, '').replace(/[/. -]/g, (c) => REPLACED[c]!);

/** `istio_double_request_count`: the namespace goes before. */
export function metricName(info: MetricInfo): string {
  const namespace = info.namespace === undefined || info.namespace === '' ? 'istio' : info.namespace;
  const name =
    info.name === undefined || info.name === '' ? (info.instance_name ?? info.instanceName ?? '') : info.name;
  return `${safeName(namespace)}_${safeName(name)}`;
}

/** Prometheus's own default, for values in seconds. */
const DEFAULT: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Upper bounds, ascending; null where they make no sense. */
export function bucketsOf({ buckets = {} }: MetricInfo): readonly number[] | null {
  const explicit = buckets.explicit_buckets ?? buckets.explicitBuckets;
  if (explicit !== undefined) return ascending(explicit.bounds ?? []);
  const linear = buckets.linear_buckets ?? buckets.linearBuckets;
  if (linear !== undefined) {
    const count = (linear.num_finite_buckets ?? linear.numFiniteBuckets ?? 0) + 1;
    return ascending(Array.from({ length: count }, (_, i) => (linear.offset ?? 0) + i * (linear.width ?? 0)));
  }
  const exponential = buckets.exponential_buckets ?? buckets.exponentialBuckets;
  if (exponential === undefined) return DEFAULT;
  const count = (exponential.num_finite_buckets ?? exponential.numFiniteBuckets ?? 0) + 1;
  const factor = exponential.growth_factor ?? exponential.growthFactor ?? 0;
  return ascending(Array.from({ length: count }, (_, i) => (exponential.scale ?? 0) * factor ** i));
}

function ascending(bounds: readonly number[]): readonly number[] | null {
  const sound = bounds.length > 0 && bounds.every((b, i) => Number.isFinite(b) && (i === 0 || b > bounds[i - 1]!));
  return sound ? bounds : null;
}
