/** The main thread's end of telemetry: takes what workers post, keeps it ready to be scraped, and ships spans. */
import { Counter, Gauge } from 'prom-client';
import { SeriesReader } from '../core/registry.ts';
import { createExposition, type Exposition } from './prometheus.ts';
import type { TelemetryMessage } from './recorder.ts';
import { createSpanExporter, type SpanExporter, type SpanExporterOptions } from './span-exporter.ts';

export type HubOptions = {
  /** Of Lateen. */
  readonly version: string;
  readonly zipkin: SpanExporterOptions;
  /** Told, once a family, that requests are counted as `other` from now on. */
  readonly onOverflow?: (family: string, limit: number) => void;
  /** False where another exposition of this process has them. */
  readonly processMetrics?: boolean;
};

export type TelemetryHub = {
  /** `worker`: a number for each worker thread ever started. */
  accept(worker: number, message: TelemetryMessage): void;
  /** The worker has ended: what it counted stays. */
  retire(worker: number): void;
  readonly exposition: Exposition;
  readonly spans: SpanExporter;
  /** Ships the spans that wait, for at most the exporter's timeout. */
  close(): Promise<void>;
};

/** Throws when a collector is no URL. */
export function createHub({ version, zipkin, onOverflow = () => {}, processMetrics = true }: HubOptions): TelemetryHub {
  const reader = new SeriesReader();
  const exposition = createExposition(reader, version, processMetrics);
  const spans = createSpanExporter(zipkin);
  const warned = new Set<string>();
  exposeSpanStats(exposition, spans);

  return {
    accept(worker, message) {
      if (message.kind === 'metrics') reader.accept(worker, message.announcement);
      else if (message.kind === 'spans') spans.push(message.batch);
      else if (!warned.has(message.family)) {
        warned.add(message.family);
        onOverflow(message.family, message.limit);
      }
    },
    retire: (worker) => reader.retire(worker),
    exposition,
    spans,
    close: () => spans.close(),
  };
}

function exposeSpanStats({ registry }: Exposition, spans: SpanExporter): void {
  const registers = [registry];
  const labelNames = ['collector'] as const;
  const names = { sent: 'lateen_spans_sent_total', dropped: 'lateen_spans_dropped_total' };
  const counter = (stat: 'sent' | 'dropped', help: string): unknown =>
    new Counter({
      name: names[stat],
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const { collector, ...stats } of spans.stats()) this.inc({ collector }, stats[stat]);
      },
    });
  counter('sent', 'Spans that a collector has taken.');
  counter('dropped', 'Spans lost because a collector was slow, down or refused them.');
  const waiting = new Gauge({
    name: 'lateen_spans_waiting',
    help: 'Spans that wait for a collector.',
    labelNames,
    registers,
    collect() {
      for (const { collector, waiting } of spans.stats()) this.set({ collector }, waiting);
    },
  });
  waiting.reset();
}
