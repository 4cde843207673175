/** Header values that are worked out for each request: `%REQ(x-user)%`, `%UPSTREAM_HOST%` … */
import { getJoined, type HeaderList } from '../core/header-list.ts';
import { parseTemplate, type Operator, type TemplatePart } from '../core/header-template.ts';
import type { Exchange } from '../live/exchange.ts';
import { pseudoHeader } from '../live/pseudo-header.ts';

/** `response`: its headers, while they are being changed; null on the way to the upstream. What is not known is "". */
export type Value = (x: Exchange, response: HeaderList | null) => string;

/** Plain text costs nothing at run time. A template that does not parse, which compiling refuses, gives "". */
export function compileValue(text: string): Value {
  const parts = parseTemplate(text);
  if (typeof parts === 'string') return () => '';
  const values = parts.map(valueOf);
  const [only] = values;
  if (only === undefined) return () => '';
  if (values.length === 1) return only;
  return (x, response) => {
    let out = '';
    for (const value of values) out += value(x, response);
    return out;
  };
}

function valueOf(part: TemplatePart): Value {
  if (part.kind === 'text') {
    // A header value has no line ends, whatever the configuration says.
    const text = part.text.replace(/[\r\n\0]+/g, ' ');
    return () => text;
  }
  const value = operator(part.name, part.argument);
  const { limit } = part;
  return limit === null ? value : (x, response) => value(x, response).slice(0, limit);
}

function operator(name: Operator, argument: string): Value {
  switch (name) {
    case 'REQ':
      return firstOf(argument, requestHeader);
    case 'RESP':
      return firstOf(argument, (header) => (_x, response) => (response && getJoined(response, header)) ?? '');
    case 'PROTOCOL':
      return (x) => `HTTP/1.${x.minor}`;
    case 'START_TIME':
      return (x) => new Date(performance.timeOrigin + x.startMs).toISOString();
    case 'DURATION':
      return (x) => String(Math.round((x.endMs || performance.now()) - x.startMs));
    case 'TRACE_ID':
      return (x) => x.trace?.traceId ?? '';
    case 'ROUTE_NAME':
      return (x) => x.route?.name ?? '';
    case 'BYTES_RECEIVED':
      return (x) => String(x.bytesReceived);
    case 'BYTES_SENT':
      return (x) => String(x.bytesSent);
    case 'RESPONSE_CODE':
      return (x) => String(x.status);
    case 'RESPONSE_CODE_DETAILS':
      return (x) => x.details;
    case 'RESPONSE_FLAGS':
      return (x) => (x.flags === '' ? '-' : x.flags);
    default:
      return addressOperator(name);
  }
}

type AddressOperator = Extract<Operator, `UPSTREAM_${string}` | `DOWNSTREAM_${string}`>;

function addressOperator(name: AddressOperator): Value {
  switch (name) {
    case 'UPSTREAM_HOST':
    case 'UPSTREAM_REMOTE_ADDRESS':
      return (x) => x.endpoint?.key ?? '';
    case 'UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
      return (x) => x.endpoint?.address ?? '';
    case 'UPSTREAM_REMOTE_PORT':
      return (x) => (x.endpoint === null ? '' : String(x.endpoint.port));
    case 'UPSTREAM_LOCAL_ADDRESS':
      return (x) => x.upstreamLocal;
    case 'UPSTREAM_CLUSTER':
      return (x) => x.cluster?.settings.name ?? '';
    case 'DOWNSTREAM_REMOTE_ADDRESS':
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS':
      return ({ connection }) => withPort(connection.remoteAddress, connection.remotePort);
    case 'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT':
    case 'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT':
      return ({ connection }) => connection.remoteAddress;
    case 'DOWNSTREAM_REMOTE_PORT':
    case 'DOWNSTREAM_DIRECT_REMOTE_PORT':
      return ({ connection }) => String(connection.remotePort);
    case 'DOWNSTREAM_LOCAL_ADDRESS':
      return ({ connection }) => withPort(connection.localAddress, connection.localPort);
    case 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT':
      return ({ connection }) => connection.localAddress;
    case 'DOWNSTREAM_LOCAL_PORT':
      return ({ connection }) => String(connection.localPort);
  }
}

/** `X?Y`: X, or Y when X is missing. */
function firstOf(argument: string, read: (header: string) => Value): Value {
  const [main = '', other] = argument.toLowerCase().split('?');
  const first = read(main);
  if (other === undefined) return first;
  const second = read(other);
  return (x, response) => first(x, response) || second(x, response);
}

const requestHeader = (name: string): Value => pseudoHeader(name) ?? ((x) => getJoined(x.headers, name) ?? '');

const withPort = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
