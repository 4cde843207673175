import assert from 'node:assert/strict';
import { test } from 'vitest';
import { formatFor } from './negotiate.ts';

/** What Prometheus says: since 2.5, and before. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

for (const [accept, format] of [
  [PROMETHEUS, 'openmetrics'],
  ['application/openmetrics-text; version="0.0.1",text/plain;version=0.0.4;q=0.5', 'openmetrics'],
  ['application/openmetrics-text', 'openmetrics'],
  ['application/openmetrics-text;version=2.0.0,text/plain;q=0.5', 'text'],
  ['application/openmetrics-text;q=0.2,text/plain;version=0.0.4;q=0.8', 'text'],
  ['application/openmetrics-text;q=0', 'text'],
  ['application/openmetrics-text;q=x', 'text'],
  ['text/plain;version=0.0.4', 'text'],
  ['text/html,*/*;q=0.8', 'text'],
  ['', 'text'],
  [undefined, 'text'],
  [`${','.repeat(100_000)}application/openmetrics-text`, 'text'],
] as const)
  test(`${accept?.slice(0, 60)} gets ${format}`, () => assert.equal(formatFor(accept), format));
