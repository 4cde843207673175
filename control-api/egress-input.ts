/** What a proxy reports of traffic that left the mesh, read from its bytes: checked, and cut to size. */
import { decodeBody } from './kube/body.ts';
import { isObject, type Json, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';

/** As the proxy counts it (its EgressRow); times in ms since the epoch. */
export type Sighted = {
  readonly verdict: 'blocked' | 'passed' | 'allowed';
  readonly protocol: 'http' | 'tls' | 'tcp' | 'other';
  /** "": only an address is known. */
  readonly host: string;
  readonly address: string;
  /** 0: several destinations, summed up. */
  readonly port: number;
  /** Host of the service that allows it. */
  readonly service: string;
  readonly count: number;
  readonly failures: number;
  readonly failure: string;
  /** Bytes to the destination, and from it. */
  readonly sent: number;
  readonly received: number;
  readonly firstSeen: number;
  readonly lastSeen: number;
};

export type EgressReport = {
  readonly run: string;
  readonly seq: number;
  readonly workload: string;
  readonly rows: readonly Sighted[];
};

export const VERDICTS = ['blocked', 'passed', 'allowed'] as const;
const PROTOCOLS = ['http', 'tls', 'tcp', 'other'] as const;
/** A proxy sends at most some 500 at once. */
const MAX_ROWS = 1000;

/** Throws BadRequest naming the field. */
export function readEgress(bytes: Buffer, contentType: string | undefined): EgressReport {
  const body = decodeBody(bytes, contentType);
  if (!isObject(body)) throw badRequest('expected a report as a JSON object');
  const { rows } = body;
  if (!Array.isArray(rows)) throw badRequest('rows: expected a list');
  if (rows.length > MAX_ROWS) throw badRequest(`rows: expected at most ${MAX_ROWS}, got ${rows.length}`);
  return {
    run: text(body, 'run', ''),
    seq: whole(body, 'seq', ''),
    workload: text(body, 'workload', ''),
    rows: (rows as readonly Json[]).map((row, i) => readRow(row, `rows[${i}].`)),
  };
}

function readRow(row: Json, at: string): Sighted {
  if (!isObject(row)) throw badRequest(`${at.slice(0, -1)}: expected an object`);
  return {
    verdict: oneOf(row, 'verdict', VERDICTS, at),
    protocol: oneOf(row, 'protocol', PROTOCOLS, at),
    host: text(row, 'host', at),
    address: text(row, 'address', at),
    port: whole(row, 'port', at),
    service: text(row, 'service', at),
    count: whole(row, 'count', at),
    failures: whole(row, 'failures', at),
    failure: text(row, 'failure', at),
    sent: whole(row, 'sent', at),
    received: whole(row, 'received', at),
    firstSeen: whole(row, 'firstSeen', at),
    lastSeen: whole(row, 'lastSeen', at),
  };
}

function oneOf<T extends string>(row: JsonObject, field: string, known: readonly T[], at: string): T {
  const value = known.find((k) => k === row[field]);
  if (value !== undefined) return value;
  throw badRequest(`${at}${field}: expected one of ${known.join(', ')}, got ${shown(row[field])}`);
}

function whole(row: JsonObject, field: string, at: string): number {
  const value = row[field];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw badRequest(`${at}${field}: expected a whole number from 0, got ${shown(value)}`);
}

/** Whoever shows it may be a terminal: printable ASCII alone is kept. */
function text(row: JsonObject, field: string, at: string): string {
  const value = row[field];
  if (typeof value === 'string') return value.slice(0, 256).replace(/[^ -~]/g, '?');
  throw badRequest(`${at}${field}: expected a string, got ${shown(value)}`);
}

const shown = (value: Json | undefined): string => (JSON.stringify(value) ?? 'nothing').slice(0, 100);
