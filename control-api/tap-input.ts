/** What a proxy tells of single requests, read from its bytes: checked, and cut to size. */
import type { TapBatch, TapEvent, TapParty } from '#proxy/snapshot/tap.ts';
import { decodeBody } from './kube/body.ts';
import { isObject, type Json, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';

const MAX_BATCHES = 64;
const MAX_EVENTS = 1000;
const MAX_TEXT = 1024;
const DIRECTIONS = ['inbound', 'outbound', 'gateway'] as const;

/** Throws BadRequest. */
export function readTapped(bytes: Buffer, contentType: string | undefined): readonly TapBatch[] {
  const body = decodeBody(bytes, contentType);
  const batches = isObject(body) ? body['batches'] : undefined;
  if (!Array.isArray(batches) || batches.length > MAX_BATCHES)
    throw badRequest(`batches: expected a list of at most ${MAX_BATCHES}`);
  return (batches as readonly Json[]).map((batch) => {
    if (!isObject(batch) || !Array.isArray(batch['events']) || batch['events'].length > MAX_EVENTS)
      throw badRequest(`batches: expected each to have a list of at most ${MAX_EVENTS} events`);
    const events = (batch['events'] as readonly Json[]).filter(isObject).map(readEvent);
    return { id: text(batch, 'id'), events, skipped: number(batch, 'skipped') };
  });
}

const readEvent = (event: JsonObject): TapEvent => ({
  time: number(event, 'time'),
  direction: DIRECTIONS.find((d) => d === event['direction']) ?? 'inbound',
  source: readParty(event['source']),
  destination: readParty(event['destination']),
  service: text(event, 'service'),
  method: text(event, 'method'),
  authority: text(event, 'authority'),
  path: text(event, 'path'),
  status: number(event, 'status'),
  grpcStatus: number(event, 'grpcStatus', -1),
  flags: text(event, 'flags'),
  duration: number(event, 'duration'),
  received: number(event, 'received'),
  sent: number(event, 'sent'),
  reason: text(event, 'reason'),
  requestId: text(event, 'requestId'),
});

function readParty(value: Json | undefined): TapParty {
  const party = isObject(value) ? value : {};
  return {
    namespace: text(party, 'namespace'),
    workload: text(party, 'workload'),
    version: text(party, 'version'),
    pod: text(party, 'pod'),
    address: text(party, 'address'),
  };
}

function text(of: JsonObject, field: string): string {
  const value = of[field];
  return typeof value === 'string' ? value.slice(0, MAX_TEXT) : '';
}

function number(of: JsonObject, field: string, otherwise = 0): number {
  const value = of[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}
