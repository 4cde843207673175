/** What a proxy reports of traffic that left the mesh, read from its bytes: checked, and cut to size. */
import type { JsonObject } from './kube/json.ts';
import { oneOf, readReport, text, whole, type NumberedReport } from './numbered-report.ts';

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

export type EgressReport = NumberedReport<Sighted>;

export const VERDICTS = ['blocked', 'passed', 'allowed'] as const;
const PROTOCOLS = ['http', 'tls', 'tcp', 'other'] as const;
/** Throws BadRequest naming the field. */
export const readEgress = (bytes: Buffer, contentType: string | undefined): EgressReport =>
  readReport(bytes, contentType, readRow);

function readRow(row: JsonObject, at: string): Sighted {
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
