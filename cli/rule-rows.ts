/** Rules for connections as lines for people: the address and server name they are for, where they lead, and which resource says so. */
import type { CapturedPort, Listener, TcpRule, TcpShare } from '#proxy/snapshot/listener.ts';

/** With a head; for `lateen config <proxy> listeners`. Of captured connections, PORT is the one they were made to. Empty: there are none. */
export function ruleRows(listeners: readonly Listener[]): string[][] {
  const rows = listeners.flatMap((listener) => {
    if (listener.kind === 'tcp') return listener.rules.map((rule) => row(listener.name, String(listener.port), rule));
    if (listener.captured === null) return [];
    const { ports, unknown } = listener.captured;
    const known = Object.entries(ports).flatMap(([port, captured]) => portRows(listener.name, port, captured));
    return [...known, ...portRows(listener.name, 'other', unknown)];
  });
  return rows.length === 0 ? [] : [['LISTENER', 'PORT', 'ADDRESSES', 'SERVER NAMES', 'GOES TO', 'BECAUSE OF'], ...rows];
}

function portRows(listener: string, port: string, { rules, table }: CapturedPort): string[][] {
  const http = table === null ? [] : [[listener, port, 'any', '', `routes ${table}`, '']];
  return [...rules.map((rule) => row(listener, port, rule)), ...http];
}

const row = (listener: string, port: string, { destinations, serverNames, split, source }: TcpRule): string[] => [
  listener,
  port,
  destinations.length === 0 ? 'any' : destinations.join(' '),
  serverNames.join(' '),
  splitText(split),
  source === null ? '' : `${source.kind} ${source.namespace}/${source.name} ${source.path}`,
];

const splitText = (split: readonly TcpShare[]): string =>
  split.map(({ cluster, weight }) => (split.length === 1 ? cluster : `${cluster} (${weight})`)).join(', ');
