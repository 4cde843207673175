/** A TCP connection to the database: straight, or through an HTTP proxy by CONNECT (RFC 9110, 9.3.6). */
import { connect, isIPv6, type Socket } from 'node:net';
import type { MysqlSettings } from './settings.ts';

/** Longest head of the proxy's answer, in bytes, and of a refusal's body that is read for its reason. */
const MAX_HEAD = 64 * 1024;
const MAX_REASON = 1024;

/** Resolves with a socket that is connected and paused; rejects with a readable reason, at the latest after `timeoutMs`. */
export function openSocket({ host, port, proxy }: MysqlSettings, timeoutMs: number): Promise<Socket> {
  const place = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const to = proxy === null ? { host, port } : { host: bare(proxy.hostname), port: Number(proxy.port || 80) };
  const where = proxy === null ? place : `${place} through ${proxy.host}`;
  return new Promise((resolve, reject) => {
    const socket = connect({ ...to, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    const fail = (why: string): void => {
      clearTimeout(timer);
      socket.off('data', answer).off('close', ended).destroy();
      reject(new Error(`${where}: ${why}`));
    };
    const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs);
    const done = (): void => {
      clearTimeout(timer);
      socket.off('data', answer).off('close', ended).pause();
      resolve(socket);
    };
    const ended = (): void => fail('the connection ended before it was open');
    let head = Buffer.alloc(0);
    const answer = (chunk: Buffer): void => {
      head = Buffer.concat([head, chunk]);
      const verdict = read(head);
      if (verdict === 'more') return;
      if (typeof verdict === 'string') return fail(verdict);
      done();
      // MySQL's server speaks first: its greeting may have come with the proxy's answer.
      if (verdict.rest.length > 0) socket.unshift(verdict.rest);
    };
    // This listener stays: whoever gets the socket may be late with its own.
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once('close', ended);
    socket.once('connect', () => {
      if (proxy === null) return done();
      socket.on('data', answer);
      socket.once('end', () => fail(refusal(head) ?? 'the proxy ended the connection'));
      socket.write(`CONNECT ${place} HTTP/1.1\r\nHost: ${place}\r\n${credentials(proxy)}\r\n`);
    });
  });
}

/** What follows the head of a 2xx; why not; or that more of it must come. */
function read(bytes: Buffer): { readonly rest: Buffer } | string {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0 || end > MAX_HEAD) {
    if (bytes.length > MAX_HEAD) return `the proxy's answer has no end within ${MAX_HEAD} bytes`;
    // What is no HTTP is not waited for.
    return bytes.length < 9 || /^HTTP\/1\.[01] /.test(bytes.toString('latin1', 0, 9))
      ? 'more'
      : 'the proxy speaks no HTTP';
  }
  const head = bytes.toString('latin1', 0, end + 2);
  const status = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/.exec(head)?.[1];
  if (status === undefined) return 'the proxy speaks no HTTP';
  if (status.startsWith('1')) return read(bytes.subarray(end + 4));
  // Length and coding of a 2xx mean nothing here: what follows is the tunnel.
  if (status.startsWith('2')) return { rest: bytes.subarray(end + 4) };
  const length = Number(/\r\ncontent-length: *(\d{1,9})\r\n/i.exec(head)?.[1] ?? MAX_REASON);
  const whole = reasonIn(head) !== null || bytes.length - end - 4 >= Math.min(length, MAX_REASON);
  return whole ? (refusal(bytes) ?? 'more') : 'more';
}

/** What a proxy that refused has said: its status, and the reason in the header of Lateen or in the body. */
function refusal(bytes: Buffer): string | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end + 2);
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1];
  if (status === undefined) return null;
  const reason = reasonIn(head) ?? printable(bytes.toString('utf8', end + 4, end + 4 + MAX_REASON));
  return `the proxy answered ${status}${reason === '' ? '' : `: ${reason}`}`;
}

const reasonIn = (head: string): string | null => {
  const found = /\r\nx-lateen-reason: *([^\r\n]*)\r\n/i.exec(head)?.[1];
  return found === undefined ? null : printable(Buffer.from(found, 'latin1').toString('utf8'));
};

const printable = (text: string): string =>
  text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, 300);

const bare = (hostname: string): string => hostname.replace(/^\[|\]$/g, '');

function credentials({ username, password }: URL): string {
  if (username === '') return '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(pair).toString('base64')}\r\n`;
}
