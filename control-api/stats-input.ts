/** What a proxy reports of the traffic it saw, read from its bytes: checked, and cut to size. */
import { LATENCY_BUCKETS } from '#proxy/core/latency-buckets.ts';
import { isObject, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';
import { isWhole, oneOf, readReport, shown, text, whole, type NumberedReport } from './numbered-report.ts';

export type Party = { readonly namespace: string; readonly workload: string; readonly version: string };

/** As the proxy names it (its EdgeName). */
export type Edge = {
  readonly reporter: 'source' | 'destination';
  readonly gateway: boolean;
  readonly source: Party;
  readonly destination: Party;
  readonly pod: string;
  readonly service: string;
  readonly protocol: 'http' | 'grpc' | 'tcp' | 'other';
  readonly route: string;
};

/** What is counted of an edge, in the order in which it is kept. */
export const COUNTS = ['requests', 'failed', 'denied', 'blocked', 'received', 'sent', 'opened', 'closed'] as const;
/** Response classes: none, 1xx … 5xx. */
export const CLASSES = 6;

export type Counted = Edge &
  Readonly<Record<(typeof COUNTS)[number], number>> & {
    readonly classes: readonly number[];
    readonly latency: readonly number[];
    /** TCP connections at this moment. */
    readonly open: number;
    readonly flags: Readonly<Record<string, number>>;
  };

export type StatsReport = NumberedReport<Counted>;

const REPORTERS = ['source', 'destination'] as const;
const PROTOCOLS = ['http', 'grpc', 'tcp', 'other'] as const;
const MAX_FLAGS = 16;

/** Throws BadRequest naming the field. */
export const readStats = (bytes: Buffer, contentType: string | undefined): StatsReport =>
  readReport(bytes, contentType, readRow);

function readRow(row: JsonObject, at: string): Counted {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, whole(row, name, at)]));
  return {
    reporter: oneOf(row, 'reporter', REPORTERS, at),
    gateway: row['gateway'] === true,
    source: party(row, 'source', at),
    destination: party(row, 'destination', at),
    pod: text(row, 'pod', at),
    service: text(row, 'service', at),
    protocol: oneOf(row, 'protocol', PROTOCOLS, at),
    route: text(row, 'route', at),
    ...(counts as Record<(typeof COUNTS)[number], number>),
    classes: wholes(row, 'classes', CLASSES, at),
    latency: wholes(row, 'latency', LATENCY_BUCKETS, at),
    open: whole(row, 'open', at),
    flags: flagsOf(row, at),
  };
}

function party(row: JsonObject, field: string, at: string): Party {
  const value = row[field];
  if (!isObject(value)) throw badRequest(`${at}${field}: expected an object, got ${shown(value)}`);
  const within = `${at}${field}.`;
  return {
    namespace: text(value, 'namespace', within),
    workload: text(value, 'workload', within),
    version: text(value, 'version', within),
  };
}

function flagsOf(row: JsonObject, at: string): Record<string, number> {
  const value = row['flags'];
  if (!isObject(value)) throw badRequest(`${at}flags: expected an object, got ${shown(value)}`);
  const known = Object.keys(value).filter((name) => /^[A-Z0-9,]{1,40}$/.test(name));
  return Object.fromEntries(known.slice(0, MAX_FLAGS).map((name) => [name, whole(value, name, `${at}flags.`)]));
}

function wholes(row: JsonObject, field: string, length: number, at: string): number[] {
  const value = row[field];
  if (Array.isArray(value) && value.length === length && value.every(isWhole)) return value;
  throw badRequest(`${at}${field}: expected ${length} whole numbers from 0, got ${shown(value)}`);
}
