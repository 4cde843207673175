/** What a proxy reports of itself, read from its bytes. */
import type { Problem } from '#proxy/istio/problem.ts';
import { decodeBody } from './kube/body.ts';
import { isObject, type Json, type JsonObject } from './kube/json.ts';
import { badRequest } from './kube/status-error.ts';

export type ProxyReport = {
  /** Newest revision it has dealt with. */
  readonly revision: number;
  /** Of the snapshot in force. */
  readonly version: string;
  /** False: it keeps an older snapshot, because of `problems`. */
  readonly accepted: boolean;
  readonly problems: readonly Problem[];
  readonly role: string;
  readonly workload: string;
  readonly ip: string;
  /** Where Prometheus finds its metrics, at /stats/prometheus; 0: nowhere. */
  readonly metricsPort: number;
  readonly pid: number;
  readonly startedAt: string;
};

const MAX_PROBLEMS = 1000;

/** Throws BadRequest naming the field. */
export function readReport(bytes: Buffer, contentType: string | undefined): ProxyReport {
  const body = decodeBody(bytes, contentType);
  if (!isObject(body)) throw badRequest('expected a report as a JSON object');
  const { revision, accepted, problems = [] } = body;
  if (typeof revision !== 'number' || !Number.isSafeInteger(revision) || revision < 0) {
    throw badRequest(`revision: expected a whole number from 0, got ${JSON.stringify(revision)}`);
  }
  if (typeof accepted !== 'boolean')
    throw badRequest(`accepted: expected true or false, got ${JSON.stringify(accepted)}`);
  if (!Array.isArray(problems)) throw badRequest('problems: expected a list');
  return {
    revision,
    accepted,
    version: text(body, 'version'),
    problems: (problems as readonly Json[]).filter(isObject).slice(0, MAX_PROBLEMS) as unknown as Problem[],
    role: text(body, 'role'),
    workload: text(body, 'workload'),
    ip: text(body, 'ip'),
    metricsPort: portOf(body['metricsPort']),
    pid: typeof body['pid'] === 'number' ? body['pid'] : 0,
    startedAt: text(body, 'startedAt'),
  };
}

const portOf = (value: Json | undefined): number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : 0;

function text(body: JsonObject, field: string): string {
  const value = body[field];
  return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 256) : '';
}
