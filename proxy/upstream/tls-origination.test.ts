import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ClientTls } from '../snapshot/cluster.ts';
import { Reads } from '../wire/lent-reads.ts';
import { dial, type Dial } from './connect.ts';
import { subjectAltNames } from './tls-origination.ts';

const HOST = '127.42.2.1';
const dir = mkdtempSync(join(tmpdir(), 'lateen-tls-'));
const at = (name: string): string => join(dir, name);

const hasOpenssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!hasOpenssl && process.env['LATEEN_REQUIRE_TOOLS'] === '1')
  throw new Error('openssl is not installed, and LATEEN_REQUIRE_TOOLS=1 requires it');

const NO_TLS: ClientTls = {
  sni: null,
  caFile: null,
  certFile: null,
  keyFile: null,
  subjectAltNames: [],
  insecureSkipVerify: false,
};

const open: Socket[] = [];
const servers: Server[] = [];

afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** `<name>.pem` and `<name>.key`, signed by `ca`; null: by itself. */
function makeCertificate(name: string, ca: string | null, extension: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at(`${name}.key`)];
  const signer = ca === null ? [] : ['-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`)];
  const rest = ['-subj', `/CN=${name}`, '-days', '2', '-addext', extension, '-out', at(`${name}.pem`)];
  execFileSync('openssl', ['req', '-x509', ...key, ...signer, ...rest], { stdio: 'pipe' });
}

type Outcome = { socket: Socket | null; early: string | null; cause: string };

function reach(port: number, tls: ClientTls, to: Partial<Dial> = {}): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  dial(
    { host: HOST, port, from: '', tls, timeout: 2000, reads: new Reads(), ...to },
    {
      onConnected(socket, early) {
        open.push(socket);
        socket.on('error', () => undefined);
        resolve({ socket, early: early?.latin1Slice() ?? null, cause: '' });
      },
      onDialFailed: (cause) => resolve({ socket: null, early: null, cause }),
    },
  );
  return promise;
}

describe.runIf(hasOpenssl)('TLS origination', () => {
  beforeAll(() => {
    makeCertificate('ca', null, 'basicConstraints=critical,CA:TRUE');
    makeCertificate('other-ca', null, 'basicConstraints=critical,CA:TRUE');
    makeCertificate('server', 'ca', 'subjectAltName=DNS:db.example,DNS:*.wild.example,URI:spiffe://td/ns/a/sa/b');
    makeCertificate('address', 'ca', `subjectAltName=IP:${HOST}`);
    makeCertificate('client', 'ca', 'subjectAltName=DNS:client.example');
  });

  async function serve(onConnection: (socket: TLSSocket) => void, name = 'server', mutual = false): Promise<number> {
    const server = createServer(
      {
        key: readFileSync(at(`${name}.key`)),
        cert: readFileSync(at(`${name}.pem`)),
        ...(mutual ? { ca: readFileSync(at('ca.pem')), requestCert: true, rejectUnauthorized: true } : {}),
      },
      (socket) => {
        open.push(socket);
        socket.on('error', () => undefined);
        onConnection(socket);
      },
    );
    server.on('tlsClientError', () => undefined);
    servers.push(server);
    server.listen(0, HOST);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const trusted = (over: Partial<ClientTls> = {}): ClientTls => ({ ...NO_TLS, caFile: at('ca.pem'), ...over });

  test('sends the server name, and no protocol list', async () => {
    const seen = Promise.withResolvers<TLSSocket>();
    const port = await serve(seen.resolve);
    const { cause } = await reach(port, trusted({ sni: 'db.example' }));
    expect(cause).toBe('');
    expect([(await seen.promise).servername, (await seen.promise).alpnProtocol]).toEqual(['db.example', false]);
  });

  test('takes the name that was dialed where no server name is given', async () => {
    const seen = Promise.withResolvers<TLSSocket>();
    const port = await serve(seen.resolve);
    const resolve: Dial['resolve'] = (_host, done) => (done([HOST], ''), () => undefined);
    expect((await reach(port, trusted(), { host: 'a.wild.example', resolve })).cause).toBe('');
    expect((await seen.promise).servername).toBe('a.wild.example');
  });

  test('takes the name of the service, where an address was dialed', async () => {
    const seen = Promise.withResolvers<TLSSocket>();
    const port = await serve(seen.resolve);
    expect((await reach(port, trusted(), { serverName: 'db.example' })).cause).toBe('');
    expect((await seen.promise).servername).toBe('db.example');
    expect((await reach(port, trusted(), { serverName: 'no.example' })).cause).toMatch(/^TLS error: .*no\.example/);
  });

  test.runIf(process.platform === 'linux')('leaves no descriptor of handshakes that fail or are given up', async () => {
    const port = await serve(() => undefined);
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    await reach(port, NO_TLS);
    open.splice(0);
    const before = descriptors();
    for (let i = 0; i < 50; i++) expect((await reach(port, NO_TLS)).cause).toMatch(/^TLS error/);
    for (let i = 0; i < 50; i++) {
      const done = { onConnected: (socket: Socket) => socket.destroy(), onDialFailed: () => undefined };
      const cancel = dial({ host: HOST, port, from: '', tls: trusted(), timeout: 2000 }, done);
      await new Promise((resolve) => setTimeout(resolve, i % 5));
      cancel();
    }
    while (descriptors() > before) await new Promise((resolve) => setImmediate(resolve));
  });

  test('accepts the certificate of an address', async () =>
    expect((await reach(await serve(() => undefined, 'address'), trusted())).cause).toBe(''));

  for (const names of [['db.example'], ['spiffe://td/ns/a/sa/b'], ['a.wild.example'], ['no.example', 'db.example']])
    test(`accepts who is one of ${names.join(', ')}`, async () => {
      const port = await serve(() => undefined);
      expect((await reach(port, trusted({ sni: 'anything.example', subjectAltNames: names }))).cause).toBe('');
    });

  for (const [tls, cause] of [
    [trusted({ sni: 'other.example' }), /^TLS error: .*other\.example/],
    [
      trusted({ subjectAltNames: ['other.example'] }),
      /^TLS error: the certificate is for db\.example, .*expected other\.example$/,
    ],
    [trusted({ subjectAltNames: ['a.b.wild.example'] }), /^TLS error: the certificate is for/],
    [trusted({ subjectAltNames: ['wild.example'] }), /^TLS error: the certificate is for/],
    [{ ...NO_TLS, sni: 'db.example' }, /^TLS error: the issuer is unknown$/],
    [{ ...NO_TLS, sni: 'db.example', caFile: at('other-ca.pem') }, /^TLS error: /],
    [trusted({ caFile: at('none.pem') }), /^TLS error: ENOENT.*none\.pem/],
    [trusted({ certFile: at('client.pem'), keyFile: at('ca.key') }), /^TLS error: .*key values mismatch/],
  ] as const)
    test(`refuses: ${cause.source}`, async () => {
      const port = await serve(() => undefined);
      expect((await reach(port, tls)).cause).toMatch(cause);
    });

  test('refuses nobody where it is told not to look', async () => {
    const port = await serve(() => undefined);
    expect((await reach(port, { ...NO_TLS, sni: 'other.example', insecureSkipVerify: true })).cause).toBe('');
  });

  test('says when the server does not speak TLS, and when it closes', async () => {
    const plain = createTcpServer((socket) => {
      open.push(socket);
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write('5.7.44-MySQL says hello in plain text\n'));
    }).listen(0, HOST);
    const closing = createTcpServer((socket) => socket.end()).listen(0, HOST);
    servers.push(plain, closing);
    await Promise.all([once(plain, 'listening'), once(closing, 'listening')]);
    const portOf = (server: Server): number => (server.address() as AddressInfo).port;
    expect((await reach(portOf(plain), trusted())).cause).toBe('TLS error: the server does not speak TLS');
    expect((await reach(portOf(closing), trusted())).cause).toBe('TLS error: the server closed the connection');
  });

  test('is within the time limit', async () => {
    const silent = createTcpServer((socket) => void open.push(socket)).listen(0, HOST);
    servers.push(silent);
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    expect((await reach(port, trusted(), { timeout: 50 })).cause).toBe('connection timeout');
  });

  test('shows a certificate of its own, and another one once the files have changed', async () => {
    const seen: string[] = [];
    const port = await serve((socket) => seen.push(socket.getPeerCertificate().subject.CN as string), 'server', true);
    copyFileSync(at('server.pem'), at('mine.pem'));
    copyFileSync(at('server.key'), at('mine.key'));
    const tls = trusted({ sni: 'db.example', certFile: at('mine.pem'), keyFile: at('mine.key') });
    const connectOnce = async (): Promise<void> => {
      const { socket } = await reach(port, tls);
      socket!.resume();
      socket!.end();
      await once(socket!, 'close');
    };
    await connectOnce();
    copyFileSync(at('client.pem'), at('mine.pem'));
    copyFileSync(at('client.key'), at('mine.key'));
    await connectOnce();
    expect(seen).toEqual(['server', 'client']);
  });

  test('comes behind the PROXY header, and before the tunnel', async () => {
    const heard = Promise.withResolvers<string>();
    const secure = createServer(
      { key: readFileSync(at('server.key')), cert: readFileSync(at('server.pem')) },
      (socket) => {
        open.push(socket);
        socket.on('data', (bytes: Buffer) => {
          heard.resolve(bytes.latin1Slice());
          socket.write('HTTP/1.1 200 OK\r\n\r\nearly');
        });
      },
    );
    let header = '';
    const port = await new Promise<number>((resolve) => {
      const plain = createTcpServer((socket) => {
        open.push(socket);
        socket.once('readable', () => {
          const bytes = socket.read() as Buffer;
          const end = bytes.indexOf('\n') + 1;
          header = bytes.latin1Slice(0, end);
          socket.unshift(bytes.subarray(end));
          secure.emit('connection', socket);
        });
      }).listen(0, HOST, () => resolve((plain.address() as AddressInfo).port));
      servers.push(plain);
    });
    const { early, cause } = await reach(port, trusted({ sni: 'db.example' }), {
      proxyProtocol: 'V1',
      tunnel: { method: 'CONNECT', host: 'far.example', port: 443 },
    });
    expect([cause, early, header]).toEqual(['', 'early', 'PROXY UNKNOWN\r\n']);
    expect(await heard.promise).toMatch(/^CONNECT far\.example:443 HTTP\/1\.1\r\n/);
  });

  test('makes one context of settings and files, not one per connection', async () => {
    const port = await serve(() => undefined);
    copyFileSync(at('ca.pem'), at('once.pem'));
    const tls = trusted({ caFile: at('once.pem'), sni: 'db.example' });
    const options = await import('./tls-origination.ts');
    const first = options.tlsOptions(tls, HOST).secureContext;
    expect((await reach(port, tls)).cause).toBe('');
    expect(options.tlsOptions(tls, HOST).secureContext).toBe(first);
    writeFileSync(at('once.pem'), readFileSync(at('other-ca.pem')));
    expect(options.tlsOptions(tls, HOST).secureContext).not.toBe(first);
  });
});

describe('the names in a certificate', () => {
  for (const [listed, names] of [
    ['DNS:a.example, DNS:b.example', ['a.example', 'b.example']],
    ['URI:spiffe://td/ns/a/sa/b, IP Address:10.0.0.1', ['spiffe://td/ns/a/sa/b', '10.0.0.1']],
    ['', []],
    // A comma in a name: Node prints it as JSON, so that it is not taken for two.
    ['DNS:"x, DNS:good.example, y"', ['x, DNS:good.example, y']],
    ['URI:"a\\", DNS:good.example, \\"", DNS:b.example', ['a", DNS:good.example, "', 'b.example']],
    ['DirName:"/CN=DNS:good.example", DNS:b.example', ['b.example']],
  ] as const)
    test(listed || 'none', () => expect(subjectAltNames(listed)).toEqual(names));
});
