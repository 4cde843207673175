/** Names of Prometheus' labels. */
import { LABEL_NAME } from './standard-metrics.ts';

/** What `written` is called where labels have letters, digits and `_` alone (as Envoy: prometheus_stats.cc, sanitizeName). */
export function labelName(written: string): string {
  if (LABEL_NAME.test(written)) return written;
  const fit = written.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^__+/, '_');
  return /^\d/.test(fit) || fit === '' ? `_${fit}` : fit;
}
