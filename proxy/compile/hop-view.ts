/** Expressions as the server of a hop sees them: the source is who called, the destination this workload, at a gateway, too. */
import { call, literal, MISSING, type Expression } from '../core/expression.ts';
import type { Context } from './context.ts';
import { servicesOf } from './inbound-ports.ts';

/** What is asked of the connection, whoever is at its ends. */
const OF_THE_CONNECTION = new Set(['address', 'port']);

export function hopView(e: Expression, c: Context): Expression {
  switch (e.kind) {
    case 'value':
      return e;
    case 'attribute': {
      const dot = e.name.indexOf('.');
      const [party, field] = [e.name.slice(0, dot), e.name.slice(dot + 1)];
      if (OF_THE_CONNECTION.has(field)) return e;
      if (party === 'source') return { kind: 'attribute', name: `caller.${field}` };
      return party === 'destination' && c.node.role === 'gateway' ? ownAttribute(field, c) : e;
    }
    case 'entry':
      if (e.of === 'source.labels') return { ...e, of: 'caller.labels' };
      if (e.of !== 'destination.labels' || c.node.role !== 'gateway') return e;
      return Object.hasOwn(c.node.labels, e.key) ? literal(c.node.labels[e.key]!) : MISSING;
    case 'call':
      return call(e.op, ...e.args.map((arg) => hopView(arg, c)));
  }
}

/** Of this workload: what it forwards to is the next hop. */
function ownAttribute(field: string, c: Context): Expression {
  const { node } = c;
  const [service] = servicesOf(c);
  const own: Readonly<Record<string, string | undefined>> = {
    workload: node.workload,
    namespace: node.namespace,
    pod: node.name,
    app: node.labels['app'],
    version: node.labels['version'],
    canonical_service: node.canonicalService,
    canonical_revision: node.canonicalRevision,
    service_account: node.serviceAccount,
    cluster: node.cluster,
    service: service?.host ?? `${node.canonicalService}.${node.namespace}.svc.${c.mesh.domainSuffix}`,
    service_name: service?.name ?? node.canonicalService,
    service_namespace: service?.namespace ?? node.namespace,
  };
  const text = own[field] ?? '';
  return text === '' ? MISSING : literal(text);
}
