/** Where the database is and how it is reached, out of the environment, as the pattern's services read it. */
import type { Env } from '../service.ts';
import { wholeNumber } from '../whole-number.ts';
import { bypassesProxy } from './no-proxy.ts';

export type MysqlSettings = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** `verify` checks certificate and name; `trust` encrypts only. */
  readonly tls: 'off' | 'verify' | 'trust';
  /** Connections are opened through it by CONNECT; null goes straight. */
  readonly proxy: URL | null;
};

/**
 * Null without MYSQL_DB_HOST: the service then knows its data by heart. Besides it MYSQL_DB_PORT (3306), _USER, _PASSWORD, _NAME
 * (`database`), MYSQL_DB_SSL (`true`, `trust`); http_proxy and no_proxy. Throws, naming the variable, when one makes no sense.
 */
export function mysqlSettings(env: Env, database: string): MysqlSettings | null {
  // A Secret made with `echo` ends with a line feed that nobody meant.
  const value = (name: string): string => (env[`MYSQL_DB_${name}`] ?? '').replace(/[\r\n]+$/, '');
  const host = value('HOST').trim();
  if (host === '') return null;
  const port = wholeNumber('MYSQL_DB_PORT', value('PORT').trim(), 3306, 65_535);
  const noProxy = env['no_proxy'] || env['NO_PROXY'] || '';
  return {
    host,
    port,
    user: value('USER').trim(),
    password: value('PASSWORD'),
    database: value('NAME') || database,
    tls: tlsOf(value('SSL')),
    proxy: bypassesProxy(noProxy, host, port) ? null : proxyOf(env['http_proxy'] || env['HTTP_PROXY'] || ''),
  };
}

function tlsOf(text: string): MysqlSettings['tls'] {
  if (text === '' || text === 'false') return 'off';
  if (text === 'true') return 'verify';
  if (text === 'trust') return 'trust';
  throw new RangeError(`MYSQL_DB_SSL: expected true, trust or false, got ${JSON.stringify(text)}`);
}

function proxyOf(text: string): URL | null {
  if (text === '') return null;
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  if (url?.protocol === 'http:' && url.hostname !== '') return url;
  throw new RangeError(`http_proxy: expected http://host:port, got ${JSON.stringify(text)}`);
}
