/** What a proxy reports of traffic that left the mesh, read from its bytes: checked, and cut to size. */
import { EGRESS_PROTOCOLS, EGRESS_VERDICTS, type EgressRow } from '#proxy/core/egress.ts';
import type { JsonObject } from './kube/json.ts';
import { oneOf, readReport, text, whole, type NumberedReport } from './numbered-report.ts';

export type EgressReport = NumberedReport<EgressRow>;

/** Throws BadRequest naming the field. */
export const readEgress = (bytes: Buffer, contentType: string | undefined): EgressReport =>
  readReport(bytes, contentType, readRow);

function readRow(row: JsonObject, at: string): EgressRow {
  return {
    verdict: oneOf(row, 'verdict', EGRESS_VERDICTS, at),
    protocol: oneOf(row, 'protocol', EGRESS_PROTOCOLS, at),
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
