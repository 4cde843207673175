/** Which format a scraper gets (prometheus.io/docs/instrumenting/content_negotiation; RFC 9110 section 12.5.1). */
import type { ExpositionFormat } from '../telemetry/exposition-writer.ts';

/** More than a scraper says; what comes behind is not read. */
const MAX_ACCEPT = 2048;

/** OpenMetrics for who asks for a version of it that there is and likes nothing better; else the text that everybody reads. */
export function formatFor(accept: string | undefined): ExpositionFormat {
  let open = 0;
  let text = 0;
  for (const range of (accept ?? '').slice(0, MAX_ACCEPT).split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase());
    const of = new Map(parameters.map((parameter) => parameter.split('=', 2).map(unquoted) as [string, string]));
    const q = qualityOf(of.get('q'));
    if (type === 'application/openmetrics-text' && isServed(of.get('version'))) open = Math.max(open, q);
    else if (type === 'text/plain' && (of.get('version') ?? '0.0.4') === '0.0.4') text = Math.max(text, q);
  }
  return open > 0 && open >= text ? 'openmetrics' : 'text';
}

/** 0.0.1 is what 1.0.0 was called before it was done. */
const isServed = (version = '1.0.0'): boolean => version === '1.0.0' || version === '0.0.1';

const unquoted = (text: string): string => text.trim().replace(/^"(.*)"$/, '$1');

function qualityOf(text: string | undefined): number {
  if (text === undefined) return 1;
  const q = Number(text);
  return q >= 0 && q <= 1 ? q : 0;
}
