/** What the span exporter has done, in the proxy's own metrics. */
import { Gauge, Counter, type Registry } from 'prom-client';
import type { SpanExporter } from './span-exporter.ts';

/** Registers sent, dropped and waiting spans by collector; they are read at scrape time. */
export function exposeSpanStats(registry: Registry, spans: SpanExporter): void {
  counter(registry, spans, 'sent', 'Spans that a collector has taken.');
  counter(registry, spans, 'dropped', 'Spans lost because a collector was slow, down or refused them.');
  const waiting = new Gauge({
    name: 'lateen_spans_waiting',
    help: 'Spans that wait for a collector.',
    labelNames: ['collector'],
    registers: [registry],
    collect() {
      for (const { collector, waiting } of spans.stats()) this.set({ collector }, waiting);
    },
  });
  waiting.reset();
}

function counter(registry: Registry, spans: SpanExporter, stat: 'sent' | 'dropped', help: string): void {
  const total = new Counter({
    name: `lateen_spans_${stat}_total`,
    help,
    labelNames: ['collector'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { collector, ...stats } of spans.stats()) this.inc({ collector }, stats[stat]);
    },
  });
  total.reset();
}
