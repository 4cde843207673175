/** Egress as people read it: rows of a table, and ServiceEntries with who needs them. */
import { stringify } from 'yaml';
import type { EgressView } from '#control-api/egress.ts';
import type { Proposals } from '#control-api/egress-proposal.ts';
import { age } from './output.ts';

const HEAD = ['SOURCE', 'DESTINATION', 'PORT', 'PROTOCOL', 'VERDICT', 'COUNT', 'LAST', 'WHY'];
const WIDE = ['ADDRESS', 'SENT', 'RECEIVED', 'FAILED', 'FIRST'];

export const headOf = (wide: boolean): readonly string[] => (wide ? [...HEAD, ...WIDE] : HEAD);

/** `placed`: the namespace is shown, too. `now`: ms since the epoch. */
export function rowOf(
  row: EgressView,
  { wide, placed, now }: { wide: boolean; placed: boolean; now: number },
): string[] {
  const workload = row.workload === '' ? '(unknown)' : row.workload;
  return [
    placed ? `${row.namespace}/${workload}` : workload,
    destination(row),
    row.port === 0 ? '-' : String(row.port),
    row.protocol === 'other' ? '-' : row.protocol,
    row.verdict,
    String(row.count),
    age(row.lastSeen, now),
    why(row),
    ...(wide
      ? [row.address || '-', String(row.sent), String(row.received), String(row.failures), age(row.firstSeen, now)]
      : []),
  ];
}

function destination({ host, address, protocol }: EgressView): string {
  if (protocol === 'other') return '(other)';
  return host || address || '(unknown)';
}

function why({ verdict, by, service, failures, failure }: EgressView): string {
  const failed = failures === 0 ? '' : `; ${failures} failed: ${failure}`;
  if (verdict === 'allowed') return `${by ?? service}${failed}`;
  const policy = verdict === 'blocked' ? 'REGISTRY_ONLY' : 'ALLOW_ANY';
  return `${policy}, ${by === null ? 'and nothing declares it' : `but ${by} has it now`}${failed}`;
}

/** Documents of YAML, ready for kubectl; what is not proposed stands at the end, as comments. */
export function manifest({ proposals, notProposed }: Proposals): string {
  const documents = proposals.map(
    ({ resource, notes }) => `${notes.map(comment).join('')}${stringify(resource, { lineWidth: 0 })}`,
  );
  const rest = notProposed.map(({ namespace, destination, port, why }) =>
    comment(`not proposed: ${destination || '(unknown)'}${port === 0 ? '' : `:${port}`} for ${namespace}: ${why}`),
  );
  if (documents.length === 0) return `# nothing to propose\n${rest.join('')}`;
  return `${documents.join('---\n')}${rest.join('')}`;
}

const comment = (text: string): string => `# ${text.replace(/[^ -~]/g, '?')}\n`;
