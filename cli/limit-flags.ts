/** The flags of `lateen sidecar` and `lateen gateway` that set limits towards clients, and overload protection. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { SIDECAR_LIMITS, type ListenerLimits } from '#proxy/listener/limits.ts';
import { bytes, count, each, milliseconds, range, wholeNumber } from './flags.ts';

export type LimitFlags = {
  maxConnections: number;
  maxListenerConnections: number;
  maxAddressConnections: number;
  maxRequests: number;
  maxHeadBytes: number;
  maxFields: number;
  headTimeout: number;
  bodyTimeout: number;
  minBodyRate: number;
  idleTimeout: number;
  writeTimeout: number;
  maxMemory?: number;
  overloadMemory: readonly [number, number, number];
  overloadDelay: readonly [number, number];
  proxyProtocolFrom?: readonly string[];
};

const GROUP = 'Limits and overload:';
const NEVER = Number.POSITIVE_INFINITY;

/** Adds them under a heading of their own. Defaults: proxy/listener/limits.ts. */
export function addLimitFlags(command: Command): Command {
  const { head, overload, ...by } = SIDECAR_LIMITS;
  const add = <T>(flags: string, what: string, read: (text: string) => T, byDefault: T, shown?: string): void => {
    const option = new Option(flags, what).argParser(read).helpGroup(GROUP);
    command.addOption(byDefault === undefined ? option : option.default(byDefault, shown));
  };
  add('--max-connections <n>', 'connections of clients, in total', count, by.maxConnectionsInTotal);
  add('--max-listener-connections <n>', 'of one listener, in each worker', count, by.maxConnections);
  add(
    '--max-address-connections <n>',
    'of one client address, in each worker; 0: no limit',
    wholeNumber,
    by.maxConnectionsPerAddress,
  );
  add('--max-requests <n>', 'requests under way in each worker', count, by.maxRequests);
  add('--max-head-bytes <size>', 'head of a request', bytes, head.maxBytes);
  add('--max-fields <n>', 'header fields of a request', count, head.maxFields);
  add('--head-timeout <time>', 'from the first byte of a head to its last', milliseconds, by.headTimeout, '10s');
  add('--body-timeout <time>', 'between two reads of a request body', milliseconds, by.bodyTimeout, '60s');
  add(
    '--min-body-rate <size>',
    'that a body with Content-Length brings a second, over 20 s; 0: no limit',
    bytes,
    by.minBodyRate,
  );
  add('--idle-timeout <time>', 'between two requests, and before the first', milliseconds, by.idleTimeout, '60m');
  add('--write-timeout <time>', 'for a client that does not read its response', milliseconds, by.writeTimeout, '60s');
  add<number | undefined>(
    '--max-memory <size>',
    'what the process may take, such as 512Mi (default: the limit of its cgroup)',
    bytes,
    undefined,
  );
  add(
    '--overload-memory <steps>',
    'percent of memory from which on responses close connections, requests get 503, connections are refused; or off',
    steps,
    [overload.disableKeepAlive * 100, overload.refuseRequests * 100, overload.refuseConnections * 100] as const,
    '92,95,98',
  );
  add(
    '--overload-delay <times>',
    'wait in the event loop from which on some new requests get 503, and all; or off',
    times,
    overload.delay,
    '100ms,1s',
  );
  return command.option(
    '--proxy-protocol-from <range>',
    'connections from these addresses begin with a PROXY header (version 1 or 2), whose client is believed; repeatable',
    each(range),
  );
}

export function limitsOf(flags: LimitFlags): ListenerLimits {
  const [disableKeepAlive, refuseRequests, refuseConnections] = flags.overloadMemory;
  const { head, overload } = SIDECAR_LIMITS;
  return {
    ...SIDECAR_LIMITS,
    head: { ...head, maxBytes: flags.maxHeadBytes, maxFields: flags.maxFields },
    headTimeout: flags.headTimeout,
    bodyTimeout: flags.bodyTimeout,
    idleTimeout: flags.idleTimeout,
    writeTimeout: flags.writeTimeout,
    minBodyRate: flags.minBodyRate,
    maxConnections: flags.maxListenerConnections,
    maxConnectionsInTotal: flags.maxConnections,
    maxConnectionsPerAddress: flags.maxAddressConnections,
    maxRequests: flags.maxRequests,
    proxyProtocolFrom: flags.proxyProtocolFrom ?? [],
    overload: {
      ...overload,
      disableKeepAlive: disableKeepAlive / 100,
      refuseRequests: refuseRequests / 100,
      refuseConnections: refuseConnections / 100,
      memoryBytes: flags.maxMemory ?? null,
      delay: flags.overloadDelay,
    },
  };
}

/** `92,95,98` or `off`. */
export function steps(text: string): readonly [number, number, number] {
  if (text === 'off') return [NEVER, NEVER, NEVER];
  const [a, b, c, more] = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (a === undefined || b === undefined || c === undefined || more !== undefined || !(a > 0 && a <= b && b <= c))
    throw new InvalidArgumentError(`Expected three rising percentages such as 92,95,98, or off, got "${text}".`);
  return [a, b, c];
}

/** `100ms,1s` or `off`. */
export function times(text: string): readonly [number, number] {
  if (text === 'off') return [NEVER, NEVER];
  const [from, to, more] = text.split(',').map((part) => milliseconds(part.trim()));
  if (from === undefined || to === undefined || more !== undefined || from > to)
    throw new InvalidArgumentError(`Expected two rising times such as 100ms,1s, or off, got "${text}".`);
  return [from, to];
}
