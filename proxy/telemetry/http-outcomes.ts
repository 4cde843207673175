/** The series of one pair of parties, by how requests ended. Label values are put together when a combination is seen for the first time. */
import type { Counter } from '../core/counter.ts';
import type { Histogram } from '../core/histogram.ts';
import type { SeriesWriter } from '../core/registry.ts';
import type { Exchange } from '../live/exchange.ts';
import { FAMILIES } from './istio-families.ts';
import { Reshaped, type LinkedMetric, type LinkedSide } from './metric-overrides.ts';

export class HttpOutcomes {
  readonly #writer: SeriesWriter;
  readonly #parties: readonly string[];
  readonly #security: 'none' | 'unknown';
  readonly #side: LinkedSide;
  readonly #plain = new Map<number, HttpSeries>();
  readonly #flagged = new Map<string, Map<number, HttpSeries>>();
  #messages: GrpcSeries | null = null;

  constructor(writer: SeriesWriter, parties: readonly string[], security: 'none' | 'unknown', side: LinkedSide) {
    this.#writer = writer;
    this.#parties = parties;
    this.#security = security;
    this.#side = side;
  }

  record(x: Exchange): void {
    // One number for both codes, so that gRPC costs no second lookup: status × 32 + gRPC status + 2 (1: gRPC without one).
    const grpc = x.grpc ? grpcStatus(x) + 2 : 0;
    const code = (x.status << 5) | grpc;
    const byCode = x.flags === '' ? this.#plain : this.#withFlags(x.flags);
    let series = byCode.get(code);
    if (series === undefined) byCode.set(code, (series = this.#series(x, grpc)));
    series.record(x);
    if (grpc > 0) (this.#messages ??= new GrpcSeries(this.#writer, this.#parties, this.#side)).record(x);
  }

  #withFlags(flags: string): Map<number, HttpSeries> {
    let byCode = this.#flagged.get(flags);
    if (byCode === undefined) this.#flagged.set(flags, (byCode = new Map<number, HttpSeries>()));
    return byCode;
  }

  #series(x: Exchange, grpc: number): HttpSeries {
    const labels = [
      ...this.#parties,
      grpc === 0 ? 'http' : 'grpc',
      `${x.status}`,
      grpc < 2 ? '' : `${grpc - 2}`,
      x.flags === '' ? '-' : x.flags,
      this.#security,
    ];
    const { REQUEST_COUNT, REQUEST_DURATION, REQUEST_SIZE, RESPONSE_SIZE } = this.#side;
    return [REQUEST_COUNT, REQUEST_DURATION, REQUEST_SIZE, RESPONSE_SIZE].every((m) => m !== null && m.labels === null)
      ? new PlainSeries(this.#writer, labels, this.#side)
      : new ReshapedSeries(this.#writer, labels, this.#side);
  }
}

/** -1: none. A response that does not say is judged by its HTTP status (Envoy: Grpc::Common::getGrpcStatus; gRPC: HTTP to gRPC status codes). */
function grpcStatus({ grpcStatus: told, status }: Exchange): number {
  if (told >= 0) return told <= 16 ? told : -1;
  switch (status) {
    case 0:
      return -1;
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}

/** Messages of calls, however they ended: only the parties tell them apart. */
class GrpcSeries {
  readonly #requests: Reshaped<Counter> | null;
  readonly #responses: Reshaped<Counter> | null;

  constructor(writer: SeriesWriter, parties: readonly string[], side: LinkedSide) {
    const counter = (metric: LinkedMetric | null): Reshaped<Counter> | null =>
      metric === null ? null : new Reshaped(metric, parties, (family, values) => writer.counter(family, values));
    this.#requests = counter(side.GRPC_REQUEST_MESSAGES);
    this.#responses = counter(side.GRPC_RESPONSE_MESSAGES);
  }

  record(x: Exchange): void {
    if (x.requestMessages > 0) this.#requests?.of(x).add(x.requestMessages);
    if (x.responseMessages > 0) this.#responses?.of(x).add(x.responseMessages);
  }
}

type HttpSeries = { record(x: Exchange): void };

const durationOf = (x: Exchange): number => Math.floor(x.endMs - x.startMs);

/** As Istio has them. */
class PlainSeries implements HttpSeries {
  readonly #writer: SeriesWriter;
  readonly #requests: Counter;
  readonly #duration: Histogram;
  readonly #requestBytes: Histogram;
  readonly #responseBytes: Histogram;

  constructor(writer: SeriesWriter, labels: readonly string[], side: LinkedSide) {
    this.#writer = writer;
    this.#requests = writer.counter(side.REQUEST_COUNT?.family ?? FAMILIES.REQUEST_COUNT, labels);
    this.#duration = writer.histogram(side.REQUEST_DURATION?.family ?? FAMILIES.REQUEST_DURATION, labels);
    this.#requestBytes = writer.histogram(side.REQUEST_SIZE?.family ?? FAMILIES.REQUEST_SIZE, labels);
    this.#responseBytes = writer.histogram(side.RESPONSE_SIZE?.family ?? FAMILIES.RESPONSE_SIZE, labels);
  }

  record(x: Exchange): void {
    const duration = durationOf(x);
    this.#requests.add(1);
    this.#duration.record(duration);
    this.#requestBytes.record(x.requestHeadBytes + x.bytesReceived);
    this.#responseBytes.record(x.responseHeadBytes + x.bytesSent);
    if (x.trace !== null && x.trace.sampled) note(this.#writer, x, duration, this.#requests, this.#duration);
  }
}

/** Some are left out, or have other labels. */
class ReshapedSeries implements HttpSeries {
  readonly #writer: SeriesWriter;
  readonly #requests: Reshaped<Counter> | null;
  readonly #duration: Reshaped<Histogram> | null;
  readonly #requestBytes: Reshaped<Histogram> | null;
  readonly #responseBytes: Reshaped<Histogram> | null;

  constructor(writer: SeriesWriter, labels: readonly string[], side: LinkedSide) {
    this.#writer = writer;
    const histogram = (metric: LinkedMetric | null): Reshaped<Histogram> | null =>
      metric === null ? null : new Reshaped(metric, labels, (family, values) => writer.histogram(family, values));
    this.#requests =
      side.REQUEST_COUNT === null
        ? null
        : new Reshaped(side.REQUEST_COUNT, labels, (family, values) => writer.counter(family, values));
    this.#duration = histogram(side.REQUEST_DURATION);
    this.#requestBytes = histogram(side.REQUEST_SIZE);
    this.#responseBytes = histogram(side.RESPONSE_SIZE);
  }

  record(x: Exchange): void {
    const duration = durationOf(x);
    const requests = this.#requests?.of(x) ?? null;
    const durations = this.#duration?.of(x) ?? null;
    requests?.add(1);
    durations?.record(duration);
    this.#requestBytes?.of(x).record(x.requestHeadBytes + x.bytesReceived);
    this.#responseBytes?.of(x).record(x.responseHeadBytes + x.bytesSent);
    if (x.trace !== null && x.trace.sampled) note(this.#writer, x, duration, requests, durations);
  }
}

/** A traced request stands for its count and its bucket. */
function note(
  writer: SeriesWriter,
  x: Exchange,
  duration: number,
  requests: Counter | null,
  durations: Histogram | null,
): void {
  const { traceId } = x.trace!;
  const now = Date.now() / 1000;
  if (requests !== null) writer.note(requests.slot, 1, traceId, now);
  if (durations !== null) writer.note(durations.slotOf(duration), duration, traceId, now);
}
